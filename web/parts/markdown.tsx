/** Markdown as elements. Text becomes text nodes, never HTML; nothing is loaded from other servers. */
import type { Token, Tokens } from "marked";
import type { ComponentChildren } from "preact";
import { useMemo, useRef, useState } from "preact/hooks";

import { type Block, EMPTY, parseMarkdown, reader, safeHref } from "../markdown.ts";
import { sizeOf, strings } from "../strings.ts";
import { CopyButton } from "./copy.tsx";
import { memo } from "./memo.ts";

/** More blocks or characters than this are shown on request. */
const FIRST_BLOCKS = 300;
const FIRST_CHARS = 60_000;

const NAMED: Record<string, string> = {
  amp: "&",
  lt: "<",
  gt: ">",
  quot: '"',
  apos: "'",
  nbsp: "\u00a0",
  hellip: "…",
  mdash: "—",
  ndash: "–",
  copy: "©",
  times: "×",
  rarr: "→",
  larr: "←",
};
/** Character references, which Markdown allows in text. */
const decoded = (text: string): string =>
  text.includes("&")
    ? text.replace(/&(?:#(\d{1,7})|#x([\da-f]{1,6})|([a-z]{2,8}));/gi, (whole, dec, hex, name) => {
        if (name) return NAMED[String(name).toLowerCase()] ?? whole;
        const code = dec ? Number(dec) : Number.parseInt(hex, 16);
        return code > 0 && code <= 0x10ffff ? String.fromCodePoint(code) : whole;
      })
    : text;

function Inline({ tokens, depth = 0 }: { tokens: Token[] | undefined; depth?: number }) {
  return (
    <>
      {tokens?.map((token, i) => (
        <InlineToken key={i} token={token} depth={depth} />
      ))}
    </>
  );
}

const Link = ({
  href,
  title,
  children,
}: {
  href: string;
  title?: string | null;
  children: ComponentChildren;
}) => {
  const safe = safeHref(href);
  if (!safe) return <>{children}</>;
  return (
    <a
      href={safe}
      title={title ? decoded(title) : undefined}
      target="_blank"
      rel="noopener noreferrer"
    >
      {children}
    </a>
  );
};

function InlineToken({ token: given, depth }: { token: Token; depth: number }) {
  const token = given as Tokens.Generic;
  const inner = () =>
    token.tokens?.length && depth < 30 ? (
      <Inline tokens={token.tokens} depth={depth + 1} />
    ) : (
      decoded(String(token.text ?? token.raw))
    );
  switch (token.type) {
    case "strong":
      return <strong>{inner()}</strong>;
    case "em":
      return <em>{inner()}</em>;
    case "del":
      return <del>{inner()}</del>;
    case "codespan":
      return <code>{token.text}</code>;
    case "br":
      return <br />;
    case "link":
      return (
        <Link href={token.href} title={token.title}>
          {inner()}
        </Link>
      );
    case "image":
      // A picture from elsewhere would tell its server that this was read; it is a link instead.
      return <Link href={token.href}>{strings.imageLink(decoded(String(token.text ?? "")))}</Link>;
    case "text":
      return <>{token.tokens?.length ? inner() : decoded(token.text)}</>;
    case "escape":
      return <>{token.text}</>;
    default:
      // Raw HTML and whatever a later marked invents: as it was written.
      return <>{token.raw}</>;
  }
}

function ListItem({ item, depth }: { item: Tokens.ListItem; depth: number }) {
  const body = item.tokens.filter((token) => token.type !== "checkbox");
  return (
    <li class={item.task ? "task" : undefined}>
      {item.task && (
        <input
          type="checkbox"
          checked={item.checked}
          disabled
          aria-label={item.checked ? strings.taskDone : strings.taskOpen}
        />
      )}
      {body.map((token, i) =>
        token.type === "text" ? (
          <Inline key={i} tokens={(token as Tokens.Text).tokens ?? [token]} />
        ) : (
          <BlockToken key={i} token={token} depth={depth + 1} />
        ),
      )}
    </li>
  );
}

function Table({ table }: { table: Tokens.Table }) {
  const cell = ({ tokens }: Tokens.TableCell) => <Inline tokens={tokens} />;
  const align = (i: number) => (table.align[i] ? `align-${table.align[i]}` : undefined);
  return (
    <div class="table" role="region" aria-label={strings.table} tabIndex={0}>
      <table>
        <thead>
          <tr>
            {table.header.map((head, i) => (
              <th key={i} scope="col" class={align(i)}>
                {cell(head)}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {table.rows.map((row, r) => (
            <tr key={r}>
              {row.map((data, i) => (
                <td key={i} class={align(i)} dir="auto">
                  {cell(data)}
                </td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

export function CodeBlock({ text, lang }: { text: string; lang?: string }) {
  return (
    <figure class="code">
      <figcaption>
        <span>{lang || strings.code}</span>
        <CopyButton value={text} label={strings.copyCode} />
      </figcaption>
      <pre tabIndex={0} dir="ltr">
        <code>{text}</code>
      </pre>
    </figure>
  );
}

function BlockToken({ token: given, depth = 0 }: { token: Token; depth?: number }) {
  const token = given as Tokens.Generic;
  if (depth > 30) return <p dir="auto">{token.raw}</p>;
  switch (token.type) {
    case "space":
    case "def":
      return null;
    case "heading": {
      // The page has its own first two levels.
      const Heading = `h${Math.min(6, token.depth + 2)}` as "h3";
      return (
        <Heading dir="auto" class={`h${token.depth}`}>
          <Inline tokens={token.tokens} />
        </Heading>
      );
    }
    case "code":
      return <CodeBlock text={token.text} lang={/^[\w+#.-]{1,24}/.exec(token.lang ?? "")?.[0]} />;
    case "blockquote":
      return (
        <blockquote dir="auto">
          {token.tokens?.map((inner, i) => (
            <BlockToken key={i} token={inner} depth={depth + 1} />
          ))}
        </blockquote>
      );
    case "list": {
      const List = token.ordered ? "ol" : "ul";
      return (
        <List dir="auto" start={token.ordered && token.start !== 1 ? token.start : undefined}>
          {(token as Tokens.List).items.map((item, i) => (
            <ListItem key={i} item={item} depth={depth} />
          ))}
        </List>
      );
    }
    case "table":
      return <Table table={token as Tokens.Table} />;
    case "hr":
      return <hr />;
    case "paragraph":
    case "text":
      return (
        <p dir="auto">
          <Inline tokens={token.tokens ?? [token]} />
        </p>
      );
    default:
      return (
        <p dir="auto" class="verbatim">
          {token.raw.trimEnd()}
        </p>
      );
  }
}

const BlockView = memo(
  function BlockView({ block }: { block: Block }) {
    if (block.token) return <BlockToken token={block.token} />;
    return (
      <p dir="auto" class="verbatim">
        {block.raw}
      </p>
    );
  },
  (a, b) => a.block === b.block,
);

/** How many blocks are shown before somebody asks for the rest. */
function firstOf(blocks: Block[]): number {
  let chars = 0;
  for (let i = 0; i < Math.min(blocks.length, FIRST_BLOCKS); i++) {
    if (i > 0 && chars > FIRST_CHARS) return i;
    chars += blocks[i]!.raw.length;
  }
  return Math.min(blocks.length, FIRST_BLOCKS);
}

/** `live`: it is being written right now, and is shown whole. */
export function Markdown({ text, live = false }: { text: string; live?: boolean }) {
  const [whole, setWhole] = useState(live);
  const read = reader.value;
  const before = useRef({ read, parsed: EMPTY });
  const parsed = useMemo(() => {
    const start = before.current.read === read ? before.current.parsed : EMPTY;
    const next = parseMarkdown(text, start);
    before.current = { read, parsed: next };
    return next;
  }, [text, read]);
  const shown = whole || live ? parsed.blocks : parsed.blocks.slice(0, firstOf(parsed.blocks));
  const single = !whole && !live && parsed.blocks.length === 1 ? parsed.blocks[0] : undefined;
  if (single && !single.token && single.raw.length > FIRST_CHARS)
    shown[0] = { key: "head", raw: single.raw.slice(0, FIRST_CHARS) };
  const left = parsed.source.length - shown.reduce((sum, block) => sum + block.raw.length, 0);
  return (
    <div class="md">
      {shown.map((block) => (
        <BlockView key={block.key} block={block} />
      ))}
      {left > 0 && (
        <button type="button" class="quiet rest" onClick={() => setWhole(true)}>
          {strings.showRest(sizeOf(left))}
        </button>
      )}
    </div>
  );
}

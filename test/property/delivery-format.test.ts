import { describe, expect, test } from "bun:test";

import fc from "fast-check";

import { render, type RenderKind, shownLength } from "../../src/delivery/format/render.ts";
import { convertTables } from "../../src/delivery/format/tables.ts";

const KINDS: RenderKind[] = ["plain", "markdown", "html", "whatsapp"];
const TABLES = ["off", "bullets", "code"] as const;

/** Pieces of Markdown, whole and broken, and what strangers put into messages. */
const piece = fc.constantFrom(
  ...'**|*|_|__|~~|`|``|```|~~~|```ts\n|\n|\n\n|> |- |  - |1. |# |#### |[|](|)|](http://a.b/?x=1&y="<>)|![|<|>|&|&lt;|<b>|</b>|<!--|| |\\|a|word |2*3*4|- [x] |---|***|\u202e|\u200b|😀|\0|\uE000|\uE0000\uE001|[1]: http://x\n|<script>|"|\''.split(
    "|",
  ),
  "|",
  "a|b\n-|-\n",
  "javascript:alert(1)",
);
const hostile = fc.array(piece, { maxLength: 60 }).map((pieces) => pieces.join(""));

/** Markdown that is right, with everything inside of everything. */
const { nested } = fc.letrec<{ nested: string }>((tie) => ({
  nested: fc.oneof(
    { maxDepth: 4, depthIdentifier: "nested" },
    fc.constantFrom("word", "a & b", "<i>", '"q"'),
    fc.array(tie("nested"), { minLength: 1, maxLength: 4 }).map((parts) => parts.join(" ")),
    tie("nested").map((text) => `**${text}**`),
    tie("nested").map((text) => `*${text}*`),
    tie("nested").map((text) => `~~${text}~~`),
    tie("nested").map((text) => `[${text}](https://x.example/?a=1&b="2")`),
    tie("nested").map((text) => `\`${text.replaceAll("`", "")}\``),
    tie("nested").map((text) => `\n\n- ${text.replaceAll("\n", " ")}\n`),
    tie("nested").map((text) => `\n\n> ${text.replaceAll("\n", " ")}\n\n`),
    tie("nested").map((text) => `\n\`\`\`js\n${text.replaceAll("`", "")}\n\`\`\`\n`),
  ),
}));

/** Reads Telegram's HTML as strictly as Telegram: known tags, in order, nothing inside of code. Gives what a person sees. */
function readHtml(text: string): string {
  const open: string[] = [];
  let seen = "";
  for (const [token] of text.matchAll(/<[^>]*>|[^<]+|</g)) {
    if (!token.startsWith("<")) {
      expect(token.replace(/&(?:amp|lt|gt|quot);/g, "")).not.toMatch(/[&>]/);
      seen += token
        .replaceAll("&lt;", "<")
        .replaceAll("&gt;", ">")
        .replaceAll("&quot;", '"')
        .replaceAll("&amp;", "&");
      continue;
    }
    const end = /^<\/(b|i|s|a|code|pre)>$/.exec(token)?.[1];
    if (end) {
      expect(open.pop()).toBe(end);
      continue;
    }
    const tag =
      /^<(b|i|s|code|pre)>$/.exec(token)?.[1] ??
      /^<(a) href="(?:https?:\/\/|tg:\/\/|mailto:)[^"<>]*">$/i.exec(token)?.[1] ??
      /^<(code) class="language-[\w+#.-]+">$/.exec(token)?.[1];
    expect({ token, tag }).toEqual({ token, tag: expect.any(String) as unknown as string });
    const alone = open.every((each) => each === "pre") && (open.length === 0 || tag === "code");
    if (tag === "code" || tag === "pre")
      expect({ token, open, alone }).toEqual({ token, open, alone: true });
    expect(open).not.toContain(tag!);
    open.push(tag!);
  }
  expect(open).toEqual([]);
  return seen;
}

describe("whatever a model writes", () => {
  test("becomes HTML that Telegram takes: known tags, closed in order, everything else escaped", () => {
    fc.assert(
      fc.property(fc.oneof(hostile, nested), fc.constantFrom(...TABLES), (text, tables) => {
        const out = render("html", text, { tables });
        expect(readHtml(out).length).toBe(shownLength("html", out));
      }),
      { numRuns: 1500 },
    );
  });

  test("is never thrown at, and grows by no more than its markup", () => {
    fc.assert(
      fc.property(
        fc.oneof(hostile, fc.string({ unit: "binary", maxLength: 300 })),
        fc.constantFrom(...KINDS),
        fc.constantFrom(...TABLES),
        (text, kind, tables) => {
          const out = render(kind, text, { tables });
          expect(out.length).toBeLessThanOrEqual(text.length * 14 + 1_100);
          if (text.isWellFormed()) expect(out.isWellFormed()).toBe(true);
        },
      ),
      { numRuns: 1000 },
    );
  });

  test("keeps every letter that a person reads", () => {
    const words = fc.array(fc.stringMatching(/^[a-z]{1,8}$/), { minLength: 1, maxLength: 20 });
    const form = fc.constantFrom(
      (w: string) => w,
      (w: string) => `**${w}**`,
      (w: string) => `*${w}*`,
      (w: string) => `\`${w}\``,
      (w: string) => `\n- ${w}`,
      (w: string) => `\n> ${w}`,
      (w: string) => `\n\n## ${w}\n`,
      (w: string) => `\n\`\`\`\n${w}\n\`\`\`\n`,
      (w: string) => `[${w}](http://x.example)`,
      (w: string) => `\n[${w}]: b\n`,
      (w: string) => `<${w}>`,
    );
    fc.assert(
      fc.property(words, fc.infiniteStream(form), (list, forms) => {
        const text = list.map((w) => forms.next().value!(w)).join(" ");
        for (const kind of KINDS) {
          const out = render(kind, text, { tables: "off" });
          const shown = kind === "html" ? readHtml(out) : out;
          let at = 0;
          for (const w of list) {
            at = shown.indexOf(w, at);
            expect({ kind, text, missing: at < 0 ? w : undefined }).toEqual({
              kind,
              text,
              missing: undefined,
            });
            at += w.length;
          }
        }
      }),
      { numRuns: 300 },
    );
  });

  test("of 100,000 characters comes out, however deep it nests", () => {
    const pieces = [
      "*a **b ",
      ">",
      "> - ",
      "[a](",
      "![",
      "`a",
      "- ",
      "1. ",
      "|a",
      "\\",
      "<b>",
      "&amp;",
      "_",
      "~~a ",
      "a|b\n-|-\n",
      "```\n",
      "[a]: b\n",
      "a*b",
      "\u202e",
      " ",
    ];
    for (const each of pieces) {
      const text = each.repeat(Math.ceil(100_000 / each.length));
      for (const kind of ["html", "whatsapp"] as const) {
        const out = render(kind, text, { tables: "code" });
        expect(out.length).toBeLessThanOrEqual(text.length * 14 + 1_100);
      }
    }
  }, 20_000);

  test("with a table of one long cell does not become a page of spaces", () => {
    const rows = `${"h".repeat(20_000)}|b\n-|-\n${"c|d\n".repeat(5_000)}`;
    for (const mode of TABLES) expect(convertTables(rows, mode).length).toBeLessThan(200_000);
  });
});

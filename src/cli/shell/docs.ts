import { AppError } from "../../base/errors.ts";
/** `docs`: the documentation of this very version, without a network. */
import { nearest } from "../../base/nearest.ts";
import { wholeNumber } from "../arguments.ts";
import { type Cli, command } from "../command.ts";
import { packDocs } from "./docs-text.ts" with { type: "macro" };
import { type Hit, search, sectionsOf } from "./search.ts";

/** Made when the program is built. */
const PACKED = packDocs();

const pages = (): Record<string, string> =>
  JSON.parse(new TextDecoder().decode(Bun.zstdDecompressSync(Buffer.from(PACKED, "base64"))));

export const docs = command({
  doc: "Search the documentation of this version. It is inside this program: no network is needed.",
  args: {
    query: {
      type: "positional",
      required: false,
      rest: true,
      description: "What to look for; without it the pages are listed.",
    },
    page: { type: "string", hint: "name", description: "Print a whole page, as Markdown." },
    limit: { type: "string", hint: "n", default: "5", description: "Results at most." },
  },
  notes: "Exit code 1 when nothing is found.",
  examples: [
    ["docs", "which pages there are"],
    ["docs telegram token", "where it is said"],
    ["docs --page guides/docker.md", "a whole page"],
  ],
  async run(args, cli) {
    const all = pages();
    if (Object.keys(all).length === 0)
      throw new AppError("not_found", "This executable was built without its documentation.", {
        hint: "Build it from the whole repository, with the folder docs.",
      });
    if (args.page) return printPage(cli, all, args.page);
    const query = args._.join(" ").trim();
    if (!query) return listPages(cli, all);
    const limit = wholeNumber("limit", args.limit, { min: 1, max: 50 })!;
    const sections = Object.entries(all).flatMap(([page, text]) => sectionsOf(page, text));
    const hits = search(sections, query, limit);
    if (args.json)
      cli.out.data({
        query,
        results: hits.map(({ page, title, heading, snippet }) => ({
          page,
          title,
          heading,
          snippet,
        })),
      });
    else printHits(cli, hits, query);
    return hits.length > 0 ? 0 : 1;
  },
});

function printHits({ out, name }: Cli, hits: Hit[], query: string): void {
  if (hits.length === 0) {
    out.error(`Nothing is said about "${query}".`);
    return out.error(`The pages: ${name} docs`);
  }
  for (const { page, title, heading, snippet } of hits) {
    out.line(out.paint("bold", heading === title ? title : `${title} › ${heading}`));
    out.line(`  ${snippet}`);
    out.line(`  ${out.paint("dim", `docs/${page}`)}`);
  }
  out.note(`To read one: ${name} docs --page ${hits[0]!.page}`);
}

function listPages({ out, name }: Cli, all: Record<string, string>): void {
  const rows = Object.entries(all).map(([page, text]) => ({
    page,
    title: /^# (.+)$/m.exec(text)?.[1] ?? page,
  }));
  if (out.json) return out.data({ pages: rows });
  out.table(
    [{ title: "Page" }, { title: "About" }],
    rows.map(({ page, title }) => [page, title]),
  );
  out.note(`To search: ${name} docs <words>`);
}

function printPage({ out }: Cli, all: Record<string, string>, wanted: string): void {
  const names = Object.keys(all);
  const plain = wanted.replace(/^docs\//, "").replace(/\.md$/, "");
  const found =
    names.find((name) => name === `${plain}.md`) ??
    names.find((name) => name.endsWith(`/${plain}.md`));
  if (!found) {
    const near = nearest(`${plain}.md`, names);
    throw new AppError("not_found", `There is no page ${wanted}.`, {
      hint: near ? `Did you mean ${near}?` : "`clawdbot docs` lists them.",
    });
  }
  if (out.json) out.data({ page: found, text: all[found] });
  else out.raw(all[found]!.endsWith("\n") ? all[found]! : `${all[found]}\n`);
}

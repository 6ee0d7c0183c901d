/** Draws docs/images/terminal.png: a conversation in the real program, its screen as a page, the page as a picture. `bun test/e2e/tui-picture.ts` */
import { existsSync } from "node:fs";
import { join } from "node:path";

import { chromium } from "playwright-core";

import type { Cell } from "./screen.ts";
import { openRig } from "./tui-rig.ts";

const OUT = join(import.meta.dir, "../../docs/images/terminal.png");
const executablePath = ["/usr/bin/chromium", "/usr/bin/chromium-browser"].find(existsSync);
const COLOURS: Record<string, string> = {
  31: "#ff7b72",
  32: "#7ee787",
  33: "#e3b341",
  36: "#79c0ff",
};

const ANSWER = `The build is **green** again. What I did:

1. \`bun test\` failed in *one* file, because two tests took the same port.
2. Both ask for a free one now:

\`\`\`ts
const server = Bun.serve({ port: 0, fetch });
\`\`\`

| run | tests | time |
|---|--:|--:|
| before | 211 | 14.2 s |
| after | 212 | 9.8 s |

Shall I also look at the slow ones?`;

const escaped = (text: string) =>
  text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(" ", "&nbsp;");

function span({ char, style }: Cell): string {
  const codes = style.split(";");
  const css = [
    codes.includes("1") ? "font-weight:bold" : "",
    codes.includes("2") ? "opacity:.6" : "",
    codes.includes("3") ? "font-style:italic" : "",
    codes.includes("4") ? "text-decoration:underline" : "",
    ...codes.map((code) => (COLOURS[code] ? `color:${COLOURS[code]}` : "")),
  ].filter(Boolean);
  const text = escaped(char);
  return css.length ? `<span style="${css.join(";")}">${text}</span>` : text;
}

const rig = await openRig();
try {
  rig.answers.set("build", {
    toolCalls: [{ name: "exec", args: { command: "echo '212 pass, 0 fail'" } }],
  });
  rig.afterTools = ANSWER;
  const tui = rig.open(["tui"], { columns: 84, rows: 26, env: { NO_COLOR: "" } });
  await tui.shows("connected");
  tui.type("The build is red since this morning. Can you mend it?\r");
  await tui.sees("slow ones?");
  await tui.until("the end", () => !/Esc stops/.test(tui.screen.lines().join("\n")));
  tui.type("Yes, please, and then");
  await tui.shows("and then");
  const { row, column } = tui.screen;
  const rows = tui.screen
    .cells()
    .map((cells, y) =>
      cells
        .map((cell, x) => (y === row && x === column ? `<u>${span(cell)}</u>` : span(cell)))
        .join(""),
    );
  const html = `<!doctype html><meta charset="utf-8"><style>
    body{margin:0;padding:18px 20px;background:#0d1117;color:#e6edf3;display:inline-block;
      font:15px/1.32 "DejaVu Sans Mono",monospace;white-space:pre}
    u{background:#e6edf3;text-decoration:none}
  </style>${rows.join("\n")}`;
  const browser = await chromium.launch({ executablePath, args: ["--headless", "--no-sandbox"] });
  const page = await browser.newPage({ deviceScaleFactor: 1.5 });
  await page.setContent(html);
  await page.locator("body").screenshot({ path: OUT });
  await browser.close();
} finally {
  await rig.close();
}

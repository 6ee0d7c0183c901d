import { expect, test } from "bun:test";

import { search, sectionsOf } from "./search.ts";

const PAGE = `# Telegram

Your assistant as a bot.

## Get a token

<!-- not run -->
1. Ask [BotFather](https://t.me/BotFather) for a token.

\`\`\`sh
# Not a heading
clawdbot channels add
\`\`\`

## Groups

| a | b |
| --- | --- |
| group | must be mentioned |
`;
const sections = [
  ...sectionsOf("channels/telegram.md", PAGE),
  ...sectionsOf(
    "reference/config.md",
    "# Config\n\n## channels\n\nThe token of the Telegram bot.\n",
  ),
];

test("a page is cut at its headings, and not in its code", () => {
  expect(sections.map(({ heading }) => heading)).toEqual([
    "Telegram",
    "Get a token",
    "Groups",
    "channels",
  ]);
  expect(sections[1]!.text).toContain("# Not a heading");
});

test("the section with all words comes first, a guide before a table, and the line that has them is shown", () => {
  const hits = search(sections, "telegram TOKEN", 10);
  expect(hits.map(({ heading }) => heading).slice(0, 2)).toEqual(["Get a token", "channels"]);
  expect(hits[0]!.snippet).toBe("1. Ask BotFather for a token.");
});

test("words of a table are found, and the rule below its head is never shown", () => {
  expect(search(sections, "mentioned", 10)[0]!.snippet).toBe("group | must be mentioned");
});

test("nothing is found for nothing, and for what is not said", () => {
  expect(search(sections, "", 10)).toEqual([]);
  expect(search(sections, "¿?!", 10)).toEqual([]);
  expect(search(sections, "zeppelin", 10)).toEqual([]);
  expect(search(sections, "a", 1)).toHaveLength(1);
});

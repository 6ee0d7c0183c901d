/** Without any markup, as it is read aloud: for channels that have none, and for the second try when a platform refuses ours. */
import { layout, type Style } from "./layout.ts";

const none: [string, string] = ["", ""];
const STYLE: Style = {
  escape: (text) => text,
  marks: { strong: none, emphasis: none, strike: none },
  code: (text) => text,
  block: (text) => text,
  heading: undefined,
  bullet: "- ",
};

export const plain = (markdown: string): string => layout(markdown, STYLE);

/** WhatsApp's own marks. They hold for one line, must touch a word, and cannot be escaped; there are no named links. */
import { layout, type Style } from "./layout.ts";

const STYLE: Style = {
  escape: (text) => text,
  marks: { strong: ["*", "*"], emphasis: ["_", "_"], strike: ["~", "~"] },
  marksPerLine: true,
  code: (text) => `\`${text}\``,
  block: (text) => `\`\`\`\n${text.replaceAll("```", "'''")}\n\`\`\``,
  heading: "strong",
  bullet: "- ",
};

export const whatsapp = (markdown: string): string => layout(markdown, STYLE);

/** Telegram's HTML: few tags, every one closed. Code and preformatted text stand alone there, inside of nothing. */
import { layout, type Style } from "./layout.ts";

const escape = (text: string): string =>
  text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
const attribute = (text: string): string => escape(text).replaceAll('"', "&quot;");

const STYLE: Style = {
  escape,
  marks: { strong: ["<b>", "</b>"], emphasis: ["<i>", "</i>"], strike: ["<s>", "</s>"] },
  codeAlone: true,
  code: (text) => `<code>${escape(text)}</code>`,
  block: (text, language) => {
    const name = language?.replace(/[^\w+#.-]/g, "").slice(0, 40);
    return name
      ? `<pre><code class="language-${attribute(name)}">${escape(text)}</code></pre>`
      : `<pre>${escape(text)}</pre>`;
  },
  link: (href) =>
    /^(?:https?:\/\/|tg:\/\/|mailto:)\S+$/i.test(href)
      ? [`<a href="${attribute(href)}">`, "</a>"]
      : undefined,
  heading: undefined,
  bullet: "• ",
};

export const html = (markdown: string): string => layout(markdown, STYLE);

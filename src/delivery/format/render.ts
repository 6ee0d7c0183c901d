/** From the model's Markdown to what a channel shows. Never throws, and takes time in proportion to the text, whatever it is. */
import type { Channel } from "../../channels/channel.ts";
import { discord } from "./discord.ts";
import { html } from "./html.ts";
import { plain } from "./plain.ts";
import { convertTables, type TableMode } from "./tables.ts";
import { whatsapp } from "./whatsapp.ts";

/** A channel's `render`. */
export type RenderKind = Channel["render"];

const FORMS: Record<RenderKind, (markdown: string) => string> = {
  plain,
  markdown: discord,
  html,
  whatsapp,
};

/** The text in the channel's own markup. */
export const render = (
  kind: RenderKind,
  markdown: string,
  { tables }: { tables: TableMode },
): string => FORMS[kind](convertTables(markdown, tables));

/** How many characters a person sees of it, in UTF-16 units: what the platforms count. */
export const shownLength = (kind: RenderKind, rendered: string): number =>
  kind === "html"
    ? rendered.replace(/<[^<>]*>/g, "").replace(/&(?:amp|lt|gt|quot);/g, " ").length
    : rendered.length;

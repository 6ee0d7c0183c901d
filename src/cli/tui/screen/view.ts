/** The live part of the screen: what is being said, what waits, the editor, a menu or a list, and the line of state. Pure. */
import type { ClientState } from "../../../protocol/client.ts";
import { parseKey } from "../../../protocol/session-key.ts";
import type { Menu } from "../input/complete.ts";
import { type Editor, editorRows } from "../input/editor.ts";
import type { Picker } from "../input/picker.ts";
import type { Unsent } from "../talk/outbox.ts";
import type { Now } from "../talk/run.ts";
import type { Info } from "../talk/talk.ts";
import type { Frame } from "./frame.ts";
import { blockLines, type Look, toolLines } from "./items.ts";
import { cleanLine, shorten, type Theme, widthOf } from "./text.ts";

export type ViewState = {
  key: string;
  info: Info;
  connection: ClientState;
  now: Now | undefined;
  pending: readonly Unsent[];
  editor: Editor;
  menu: Menu;
  picker: Picker | undefined;
  /** A word for a moment: what a second Ctrl-C would do. */
  notice: string | undefined;
  /** Epoch ms. */
  time: number;
};

const PROMPT = "› ";
/** Of what is typed, only this much around the cursor is laid out, in characters. */
const WINDOW = 8000;
const PENDING_ROWS = 3;
const TOOL_ROWS = 4;

/** @param height rows of the screen; the result has at most as many, less one */
export function liveView(state: ViewState, height: number, look: Look): Omit<Frame, "done"> {
  const { width, theme } = look;
  const room = Math.max(2, height - 1);
  const status = statusLine(state, width, theme);
  const writing = state.picker
    ? pickerRows(state.picker, width, room - 1, theme)
    : editorPart(state, width, Math.max(1, Math.min(8, Math.floor(room / 3))), theme);
  const menu = state.picker ? [] : state.menu.lines(width, room - 2 - writing.rows.length, theme);
  let left = room - writing.rows.length - menu.length - 1;
  const take = (rows: string[], most: number): string[] => {
    const kept = rows.slice(-Math.max(0, Math.min(most, left)));
    const shown = left > 0 ? kept : [];
    left -= shown.length;
    return shown;
  };
  const rule = take(["", theme.dim("─".repeat(width))], height > 12 ? 2 : 1);
  const notice = take(noticeRows(state, look), 2);
  const pending = take(pendingRows(state.pending, look), PENDING_ROWS);
  const busy = take(busyRows(state, look), TOOL_ROWS + 1);
  const open = take(openRows(state.now, look), left);
  const above = [...open, ...busy, ...pending, ...notice, ...rule];
  return {
    live: [...above, ...writing.rows, ...menu, status],
    cursor: { row: above.length + writing.row, column: Math.min(writing.column, width - 1) },
  };
}

function openRows(now: Now | undefined, look: Look): string[] {
  if (!now?.open) return [];
  const { block, start } = now.open;
  return [...(start || block.gap ? [""] : []), ...blockLines(block, look)];
}

/** Tools that run, with the last line that they printed, and how long it has taken so far. */
function busyRows({ now, time }: ViewState, look: Look): string[] {
  if (!now) return [];
  const { width, theme } = look;
  const tools = now.tools.flatMap(({ item, output }) => {
    const last = cleanLine(output.trimEnd().slice(-500).split("\n").at(-1) ?? "");
    return [
      ...toolLines(item, { ...look, unfolded: false }),
      ...(last ? [theme.dim(shorten(`  ${last}`, width))] : []),
    ];
  });
  const seconds = Math.max(0, Math.floor((time - now.startedAt) / 1000));
  const doing = now.thinking ? "thinking" : now.tools.length ? "working" : "answering";
  return [...tools, theme.dim(shorten(`∴ ${doing} · ${seconds} s · Esc stops`, width))];
}

function pendingRows(pending: readonly Unsent[], { width, theme }: Look): string[] {
  const rows = pending.map(({ text, state }) => {
    const first = cleanLine(text.slice(0, 500));
    return theme.dim(shorten(`${state === "waiting" ? "… " : "› "}${first}`, width));
  });
  const more = rows.length - PENDING_ROWS;
  if (more <= 0) return rows;
  return [...rows.slice(0, PENDING_ROWS - 1), theme.dim(shorten(`… and ${more + 1} more`, width))];
}

function noticeRows({ notice, connection, pending }: ViewState, look: Look): string[] {
  const { width, theme } = look;
  const rows = notice ? [theme.warn(shorten(cleanLine(notice), width))] : [];
  if (connection.kind === "connected") return rows;
  const kept = pending.length ? " What you sent is kept." : "";
  const what =
    connection.kind === "waiting"
      ? `The gateway is away; trying again.${kept}`
      : connection.kind === "connecting"
        ? `Connecting to the gateway …${kept}`
        : "Not connected.";
  return [theme.warn(shorten(what, width)), ...rows];
}

type Writing = { rows: string[]; row: number; column: number };

function editorPart({ editor }: ViewState, width: number, most: number, theme: Theme): Writing {
  const { text } = editor;
  let cursor = editor.beforeCursor.length;
  const from = cursor > WINDOW ? startNear(text, cursor - WINDOW) : 0;
  const shown = text.slice(from, cursor + WINDOW);
  cursor -= from;
  const view = editorRows(shown, cursor, Math.max(1, width - widthOf(PROMPT)));
  const top = Math.max(0, Math.min(view.row - (most >> 1), view.rows.length - most));
  const rows = view.rows.slice(top, top + most).map((row, i) => {
    const first = top + i === 0 && from === 0;
    return (first ? theme.bold(theme.accent(PROMPT)) : "  ") + row;
  });
  return { rows, row: view.row - top, column: view.column + widthOf(PROMPT) };
}

/** The beginning of a line near there, or there. */
function startNear(text: string, at: number): number {
  const line = text.lastIndexOf("\n", at) + 1;
  const start = at - line > WINDOW ? at : line;
  // Not in the middle of a surrogate pair.
  return /[\udc00-\udfff]/.test(text[start] ?? "") ? start + 1 : start;
}

function pickerRows(picker: Picker, width: number, height: number, theme: Theme): Writing {
  const { rows, column } = picker.lines(width, height, theme);
  return { rows, row: 0, column };
}

const amount = (n: number): string =>
  Intl.NumberFormat("en", { notation: "compact", maximumFractionDigits: 1 })
    .format(n)
    .toLowerCase();

/** agent · session · model · tokens · connection, as much of it as there is room for. */
export function statusLine(
  { key, info, connection }: Pick<ViewState, "key" | "info" | "connection">,
  width: number,
  theme: Theme,
): string {
  const parsed = parseKey(key);
  const on = connection.kind === "connected";
  const state = on ? "connected" : connection.kind === "connecting" ? "connecting" : "offline";
  const window = info.window ? `/${amount(info.window)}` : "";
  const parts: { text: string; keep: number }[] = [
    { text: parsed?.agentId ?? "", keep: 2 },
    { text: cleanLine(info.label ?? parsed?.rest ?? key), keep: 4 },
    { text: cleanLine(info.model ?? ""), keep: 3 },
    { text: info.tokens ? `${amount(info.tokens)}${window} tokens` : "", keep: 1 },
    { text: state, keep: 5 },
  ];
  let shown = parts.filter(({ text }) => text);
  const line = () => shown.map(({ text }) => text).join(" · ");
  while (shown.length > 1 && widthOf(line()) > width - 2) {
    const least = Math.min(...shown.map(({ keep }) => keep));
    shown = shown.filter(({ keep }) => keep !== least);
  }
  const mark = on ? theme.good("●") : theme.warn("○");
  return `${mark} ${theme.dim(shorten(line(), width - 2))}`;
}

/** Slash commands that this program obeys itself; every other one goes to the gateway like any message. */
import type { SlashCommand } from "./complete.ts";

export const LOCAL: readonly SlashCommand[] = [
  { name: "help", doc: "Keys and commands of this program." },
  { name: "session", doc: "Turn to a session by its key.", choices: [] },
  { name: "sessions", doc: "Choose a session." },
  { name: "agent", doc: "Turn to an agent's main session.", choices: [] },
  { name: "agents", doc: "Choose an agent." },
  { name: "older", doc: "Show what was said before the first message here." },
  { name: "unfold", doc: "Show or fold what tools answer and models think." },
  { name: "quit", doc: "Leave." },
];

const ALIASES: Record<string, string> = { exit: "quit", tools: "unfold" };

/** A message that is a command of ours. `/model` without a word lets one choose from a list. */
export function localCommand(text: string): { name: string; rest: string } | undefined {
  const [, typed, rest = ""] = /^\/([a-z]+)(?:\s+(.*))?$/is.exec(text.trim()) ?? [];
  const name = ALIASES[typed?.toLowerCase() ?? ""] ?? typed?.toLowerCase();
  if (!name) return undefined;
  if (name === "model" && !rest.trim()) return { name: "model", rest: "" };
  return LOCAL.some((each) => each.name === name) ? { name, rest: rest.trim() } : undefined;
}

/** Ours and the gateway's, for completion; ours wins where both have a name. */
export const allCommands = (remote: readonly SlashCommand[]): SlashCommand[] => [
  ...LOCAL,
  ...remote.filter(({ name }) => !LOCAL.some((each) => each.name === name)),
];

const KEYS: [keys: string, what: string][] = [
  ["Enter", "send"],
  ["Alt+Enter, Shift+Enter, Ctrl+J, or \\ and Enter", "a new line"],
  ["Esc", "stop the answer"],
  ["Ctrl+C", "empty the line; twice: leave"],
  ["Ctrl+D", "leave"],
  ["Ctrl+P, Ctrl+G, Ctrl+L", "choose a session, an agent, a model"],
  ["Ctrl+O", "unfold or fold tools and thoughts"],
  ["Ctrl+R", "draw the screen again"],
  ["Up, Down", "what was sent before"],
  ["Tab", "complete a command"],
  ["Ctrl+A E W U K Y, Alt+B F D, Ctrl+Z", "edit as in a shell"],
];

/** As Markdown. */
export function helpText(remote: readonly SlashCommand[]): string {
  const row = ([left, right]: [string, string]) => `- \`${left}\`: ${right}`;
  return [
    "**Keys**",
    "",
    ...KEYS.map(row),
    "",
    "**Commands**",
    "",
    ...allCommands(remote).map(({ name, doc }) => row([`/${name}`, doc])),
  ].join("\n");
}

/** The product's words: one is used on output, all of them are accepted on input. */
import pkg from "../../package.json";

export const PRODUCT = "clawdbot";
export const VERSION: string = pkg.version;

/** Names the system has had, newest first: the order in which env variables of the same meaning win. */
export const NAMES = ["openclaw", "moltbot", "clawdbot"] as const;

/** Folders in the home directory that may hold the state, in the order in which they are looked for. The first is made when there is none. */
export const STATE_DIRS = [".clawdbot", ".moltbot", ".openclaw", ".moldbot"] as const;

/** Names of the config file, in the order in which they are looked for: where there are several, the original reads them so too. */
export const CONFIG_NAMES = [
  "openclaw.json",
  "clawdbot.json",
  "moltbot.json",
  "moldbot.json",
] as const;

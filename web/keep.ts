/** What the browser keeps for us: the secret, drafts, unsent messages, preferences. Keyed by origin and base path. */
import { basePath } from "./router.ts";

export type Theme = "system" | "light" | "dark";

/** Storage is per origin already; the base path keeps two gateways behind one proxy apart. */
const named = (name: string) => `clawdbot:${location.origin}${basePath()}:${name}`;

/** The value, or undefined when it is missing, damaged, or storage is forbidden. */
function read<T>(storage: "localStorage" | "sessionStorage", name: string): T | undefined {
  try {
    const text = globalThis[storage].getItem(named(name));
    return text === null ? undefined : (JSON.parse(text) as T);
  } catch (cause) {
    // Storage may be blocked (SecurityError) or hold what an extension wrote there: both mean "nothing kept".
    if (cause instanceof DOMException || cause instanceof SyntaxError) return undefined;
    throw cause;
  }
}

/** False when it could not be kept (storage full or forbidden). */
function write(storage: "localStorage" | "sessionStorage", name: string, value: unknown): boolean {
  try {
    if (value === undefined) globalThis[storage].removeItem(named(name));
    else globalThis[storage].setItem(named(name), JSON.stringify(value));
    return true;
  } catch (cause) {
    if (cause instanceof DOMException) return false;
    throw cause;
  }
}

export const keep = {
  secret: (): string | undefined => {
    const secret =
      read<unknown>("sessionStorage", "secret") ?? read<unknown>("localStorage", "secret");
    return typeof secret === "string" && secret ? secret : undefined;
  },
  /** For this tab only, unless `remember`. Undefined forgets it. */
  setSecret(secret: string | undefined, remember: boolean): void {
    write("sessionStorage", "secret", remember ? undefined : secret);
    write("localStorage", "secret", remember ? secret : undefined);
  },

  draft: (sessionKey: string): string => {
    const text = read<unknown>("localStorage", `draft:${sessionKey}`);
    return typeof text === "string" ? text : "";
  },
  setDraft(sessionKey: string, text: string): void {
    write("localStorage", `draft:${sessionKey}`, text || undefined);
  },

  outbox: <T>(): T[] => {
    const rows = read<T[]>("localStorage", "outbox");
    return Array.isArray(rows) ? rows : [];
  },
  setOutbox: (rows: unknown[]): boolean =>
    write("localStorage", "outbox", rows.length ? rows : undefined),
  /** Calls back when another tab changed the unsent messages. */
  onOutbox(changed: () => void): void {
    window.addEventListener("storage", (event: StorageEvent) => {
      if (event.key === named("outbox")) changed();
    });
  },

  theme: (): Theme => {
    const theme = read<string>("localStorage", "theme");
    return theme === "light" || theme === "dark" ? theme : "system";
  },
  setTheme: (theme: Theme) =>
    write("localStorage", "theme", theme === "system" ? undefined : theme),
};

/** A person at a terminal with the compiled binary's terminal UI: a screen to look at, keys to press. */
import { BINARY, type Home, plainEnv } from "./binary.ts";
import { Screen } from "./screen.ts";

export type Tui = {
  screen: Screen;
  pid: number;
  type(text: string): void;
  /** Resolves when the text is on the screen or in what scrolled away; rejects when the program ended without it. */
  sees(what: string | RegExp): Promise<void>;
  /** The same for what is on the screen now. */
  shows(what: string | RegExp): Promise<void>;
  /** Resolves when the screen is as wanted. */
  until(what: string, is: () => boolean): Promise<void>;
  resize(columns: number, rows: number): void;
  /** The window is closed. */
  hangUp(): void;
  kill(signal: NodeJS.Signals): void;
  exited: Promise<number>;
  close(): void;
};

/** @param options `shell`: what stood on the screen before */
export function openTui(
  args: string[],
  home: Home,
  {
    columns = 80,
    rows = 24,
    env = {} as Record<string, string>,
    program = BINARY,
    shell = "",
  } = {},
): Tui {
  const screen = new Screen(columns, rows);
  screen.write(new TextEncoder().encode(shell));
  const waiting = new Set<() => void>();
  let ended = false;
  const look = () => {
    for (const one of [...waiting]) one();
  };
  const child = Bun.spawn([program, ...args], {
    cwd: home.dir,
    env: plainEnv(home, { TERM: "xterm-256color", ...env }),
    terminal: {
      cols: columns,
      rows,
      data(_, data) {
        screen.write(data);
        look();
      },
    },
  });
  const exited = child.exited.then((code) => {
    ended = true;
    look();
    return code;
  });
  const until = (what: string, is: () => boolean) =>
    new Promise<void>((done, fail) => {
      const one = () => {
        // Half a frame is nothing that a person sees; a large one comes in pieces.
        if (screen.modes.has(2026) && !ended) return;
        const yes = is();
        if (!yes && !ended) return;
        waiting.delete(one);
        if (yes) done();
        else fail(new Error(`ended without ${what}:\n${screen.all()}`));
      };
      waiting.add(one);
      one();
    });
  const has = (text: string, what: string | RegExp) =>
    typeof what === "string" ? text.includes(what) : what.test(text);
  return {
    screen,
    pid: child.pid,
    type: (text) => void child.terminal!.write(text),
    until,
    sees: (what) => until(String(what), () => has(screen.all(), what)),
    shows: (what) => until(String(what), () => has(screen.lines().join("\n"), what)),
    resize(columns, rows) {
      screen.resize(columns, rows);
      child.terminal!.resize(columns, rows);
    },
    hangUp: () => child.terminal!.close(),
    kill: (signal) => child.kill(signal),
    exited,
    close: () => {
      if (!ended) child.kill("SIGKILL");
      if (!child.terminal!.closed) child.terminal!.close();
    },
  };
}

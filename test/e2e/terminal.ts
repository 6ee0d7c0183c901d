/** The compiled binary, or a script around it, in a pseudo-terminal, driven as a person would: wait for a text, type, read the screen. */
import { BINARY, type Home, plainEnv } from "./binary.ts";

export type Session = {
  /** Everything on the screen so far, without colours. */
  text(): string;
  /** The same as it came, with what steers the terminal. */
  raw(): string;
  /** Resolves when the text has appeared after the last one that was waited for. */
  sees(what: string): Promise<void>;
  type(text: string): void;
  exited: Promise<number>;
  close(): void;
};

export function inTerminal(
  args: string[],
  home: Home,
  env: Record<string, string> = {},
  size = { cols: 80, rows: 24 },
  program = BINARY,
): Session {
  let all = "";
  let raw = "";
  let from = 0;
  const waiting = new Set<() => void>();
  const look = () => {
    for (const one of [...waiting]) one();
  };
  const child = Bun.spawn([program, ...args], {
    cwd: home.dir,
    env: plainEnv(home, { TERM: "xterm-256color", ...env }),
    terminal: {
      ...size,
      data(_, data) {
        const piece = new TextDecoder().decode(data);
        raw += piece;
        all += Bun.stripANSI(piece);
        look();
      },
    },
  });
  let ended = false;
  const exited = child.exited.then((code) => {
    ended = true;
    look();
    return code;
  });
  return {
    text: () => all,
    raw: () => raw,
    sees: (what) =>
      new Promise((done, fail) => {
        const one = () => {
          const at = all.indexOf(what, from);
          if (at < 0 && !ended) return;
          waiting.delete(one);
          if (at < 0) return fail(new Error(`ended without "${what}":\n${all}`));
          from = at + what.length;
          done();
        };
        waiting.add(one);
        one();
      }),
    type: (text) => void child.terminal!.write(text),
    exited,
    close: () => {
      if (!ended) child.kill();
      child.terminal!.close();
    },
  };
}

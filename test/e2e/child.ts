/** For tests that start programs: what a child says can be waited for, and a port for it. */

export type Watched = {
  /** All of standard error and output so far. */
  log(): string;
  /** Resolves when the log has it `times` times; rejects with the whole log when the child ends first. */
  seen(what: string | RegExp, times?: number): Promise<void>;
  /** Resolves when the child has ended and all that it said is in the log. */
  ended: Promise<void>;
};

/** Reads what a child says from now on. Both of its outputs have to be pipes. */
export function watch(child: Bun.Subprocess<"ignore", "pipe", "pipe">): Watched {
  let text = "";
  let over = false;
  const waiting = new Set<() => void>();
  const look = () => {
    for (const each of [...waiting]) each();
  };
  const read = async (stream: ReadableStream<Uint8Array>) => {
    const decoder = new TextDecoder();
    for await (const chunk of stream) {
      text += decoder.decode(chunk, { stream: true });
      look();
    }
  };
  const ended = Promise.all([read(child.stdout), read(child.stderr), child.exited]).then(() => {
    over = true;
    look();
  });
  return {
    log: () => text,
    ended,
    seen: (what, times = 1) =>
      new Promise((done, fail) => {
        const check = () => {
          if (timesIn(text, what) >= times) done();
          else if (!over) return;
          else
            fail(
              new Error(
                `it ended (${child.exitCode ?? child.signalCode}) before it said ${what}:\n${text}`,
              ),
            );
          waiting.delete(check);
        };
        waiting.add(check);
        check();
      }),
  };
}

const timesIn = (text: string, what: string | RegExp): number =>
  typeof what === "string"
    ? text.split(what).length - 1
    : [...text.matchAll(new RegExp(what, `g${what.flags.replace("g", "")}`))].length;

const LISTENS = /listening on ws:\/\/\S*?:(\d+) \(PID \d+\)/;

/** The port of a gateway, as soon as it says that it listens. */
export async function listening({ log, seen }: Omit<Watched, "ended">): Promise<number> {
  await seen(LISTENS);
  return Number(LISTENS.exec(log())![1]);
}

/** A port of this machine's 127.0.0.1 that nothing listens on now. */
export function freePort(): number {
  const server = Bun.listen({ hostname: "127.0.0.1", port: 0, socket: { data() {} } });
  const { port } = server;
  server.stop(true);
  return port;
}

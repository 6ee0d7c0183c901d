/** Where to talk: the gateway that runs, or one for as long as the conversation lasts, which a person is offered when none does. */
import { AppError, toAppError } from "../../base/errors.ts";
import { canAsk, openAsk } from "../ask.ts";
import type { Cli } from "../command.ts";
import { isDown, type Target, type Wish, withGateway } from "../rpc.ts";

export type Place = {
  target: Target;
  /** Ends what was started for this conversation; nothing else. */
  leave(): Promise<void>;
};

/** How long a gateway may take until it answers, in ms, and how often it is asked. */
const START_MS = 20_000;
const LOOK_MS = 50;
/** How long it may take to end before it is killed, in ms. */
const END_MS = 10_000;
/** Of what it says, this much is kept to tell why it did not start, in characters. */
const LAST_WORDS = 2000;

/** Throws AppError: of the gateway, or why there is none. */
export async function findPlace(cli: Cli, wish: Wish): Promise<Place> {
  try {
    return { target: await reach(cli, wish), leave: async () => undefined };
  } catch (cause) {
    const ours = !wish.url && !wish.port && !wish.token && !wish.password;
    if (!ours || !isDown(cause) || !canAsk()) throw cause;
    cli.out.note("The gateway is not running.");
    const ask = openAsk(cli.out);
    const yes = await ask
      .yes("Start it for as long as this conversation lasts?", true)
      .finally(() => ask.close());
    if (!yes) throw cause;
    return startGateway(cli);
  }
}

const reach = (cli: Cli, wish: Wish): Promise<Target> =>
  withGateway(cli, wish, async ({ target }) => target);

async function startGateway(cli: Cli): Promise<Place> {
  const program = [process.execPath, ...(Bun.isStandaloneExecutable ? [] : [Bun.main])];
  const child = Bun.spawn([...program, "gateway"], {
    env: { ...cli.env.vars },
    stdio: ["ignore", "ignore", "pipe"],
  });
  const words = lastWords(child.stderr);
  const leave = async () => {
    const timer = setTimeout(() => child.kill("SIGKILL"), END_MS);
    child.kill();
    await child.exited;
    clearTimeout(timer);
  };
  try {
    for (const start = performance.now(); ; await Bun.sleep(LOOK_MS)) {
      // Until it is ready it may answer with whatever it is not ready for.
      const found = await reach(cli, {}).catch(toAppError);
      if (child.exitCode !== null || child.signalCode !== null)
        throw new AppError("start_refused", `The gateway did not start.\n${await words}`);
      if (!(found instanceof AppError)) return { target: found, leave };
      if (performance.now() - start > START_MS) throw found;
    }
  } catch (cause) {
    await leave();
    throw cause;
  }
}

/** Its stderr to the end; it has a log file of its own for the rest. */
async function lastWords(stream: ReadableStream<Uint8Array>): Promise<string> {
  const decoder = new TextDecoder();
  let text = "";
  for await (const chunk of stream)
    text = (text + decoder.decode(chunk, { stream: true })).slice(-LAST_WORDS);
  return text.trim();
}

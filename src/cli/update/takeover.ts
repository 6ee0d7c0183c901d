/** The new file is in its place: has the running gateway take it over, and waits for what comes of it. */
import { AppError } from "../../base/errors.ts";
import { alive } from "../../base/fs.ts";
import { lockOwner } from "../../base/lock.ts";
import { systemClock } from "../../base/time.ts";
import { type Journal, readJournal, removeJournal } from "../../service/update/journal.ts";
import { revert, toSchema } from "../../service/update/revert.ts";
import type { Cli } from "../command.ts";
import { withGateway } from "../rpc.ts";

/** The trial, the goodbye, and the start after it, with some room; in ms. */
const OUTCOME_MS = 45_000;
/** A gateway that is gone altogether may have a supervisor that starts it again, in ms. */
const GONE_MS = 8_000;
const LOOK_MS = 100;

export type Takeover =
  /** The running gateway is the new version. */
  | { kind: "restarted" }
  /** No gateway runs. */
  | { kind: "idle" }
  /** One runs that cannot be replaced; `why` ends a sentence. */
  | { kind: "left"; why: string };

/** Throws update_failed with the reason when the version before came back. */
export async function takeOver(cli: Cli, journal: Journal): Promise<Takeover> {
  const { paths } = cli;
  const owner = lockOwner(paths.lockPath);
  if (!owner) {
    if (journal.kind === "rollback") toSchema(paths, journal.schemaTo);
    return { kind: "idle" };
  }
  const left = await request(cli, journal.program);
  if (left) return { kind: "left", why: left };
  cli.out.note("The gateway tries the new version …");
  await outcome(cli, journal);
  return { kind: "restarted" };
}

/** Why it will not do it; undefined when it does. */
async function request(cli: Cli, program: string): Promise<string | undefined> {
  try {
    return await withGateway(cli, {}, async ({ client, hello }) => {
      if (!hello.features.methods.includes("gateway.replace.request"))
        return `it is version ${hello.server.version}, which cannot be replaced while it runs`;
      await client.call("gateway.replace.request", { program });
      return undefined;
    });
  } catch (cause) {
    if (!(cause instanceof AppError)) throw cause;
    return cause.message.split("\n")[0]!.replace(/\.$/, "");
  }
}

async function outcome(cli: Cli, begun: Journal): Promise<void> {
  const { paths, out } = cli;
  const until = performance.now() + OUTCOME_MS;
  let goneSince: number | undefined;
  while (performance.now() < until) {
    const now = readJournal(paths.stateDir);
    if (now?.phase === "done") return removeJournal(paths.stateDir);
    if (now?.phase === "reverted") {
      removeJournal(paths.stateDir);
      throw cameBack(now);
    }
    const there = lockOwner(paths.lockPath) || (now?.guard !== undefined && alive(now.guard));
    goneSince = there ? undefined : (goneSince ?? performance.now());
    if (goneSince !== undefined && performance.now() - goneSince > GONE_MS) {
      // Nobody is left who could bring the version before back, so this command does.
      out.note("The gateway is gone; the version before comes back …");
      await revert(paths, now ?? begun, "the gateway ended while it tried the new version");
      removeJournal(paths.stateDir);
      throw cameBack(
        { ...begun, reason: "the gateway ended while it tried the new version" },
        true,
      );
    }
    await systemClock.sleep(LOOK_MS);
  }
  throw new AppError("update_failed", "The gateway has not said what became of the update.", {
    hint: `Look at it: ${cli.name}${cli.profileFlag} update status, and ${cli.name}${cli.profileFlag} logs`,
    details: { reason: "no-outcome" },
  });
}

const cameBack = ({ to, from, reason }: Journal, down = false): AppError =>
  new AppError(
    "update_failed",
    `clawdbot ${to} was not ready in its place, so ${from} was put back${down ? "" : " and runs again"}. The reason: ${reason ?? "unknown"}.`,
    {
      hint: down
        ? "Start the gateway again where it was started. No message is lost."
        : "No message is lost. Please report it, together with the output of `clawdbot logs`.",
      details: { reason: "not-ready" },
    },
  );

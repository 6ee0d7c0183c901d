/** Set-ups through the gateway: one at a time, for whoever may administer it. Used by the methods `wizard.*`. */
import { defaultAgentId } from "../agent/settings.ts";
import { PRODUCT } from "../base/brand.ts";
import { AppError } from "../base/errors.ts";
import type { Logger } from "../base/log.ts";
import { refuseInNixMode } from "../base/nix.ts";
import type { Paths } from "../base/paths.ts";
import { background } from "../base/task.ts";
import type { Logins } from "../channels/logins.ts";
import type { ConfigHandle } from "../config/handle.ts";
import type { Bench } from "./bench.ts";
import { askEverything, carryOut } from "./onboarding.ts";
import { type Status, type Told, WizardSession } from "./session.ts";
import { shownOf } from "./sign-in.ts";

export type DeskDeps = {
  config: ConfigHandle;
  paths: Paths;
  logins: Logins;
  log: Logger;
  /** Called with every secret that is typed, so that the log never shows it. */
  learn(secret: string): void;
  models: { defaultRef(agentId: string): Promise<string> };
};

export interface WizardDesk {
  /** Throws `busy` with the session's id in its details while one goes on, and forbidden in Nix mode. */
  start(wish: { workspace?: string | undefined }): Promise<Told & { sessionId: string }>;
  /** Throws bad_request: `wizard not found`, or a value that cannot be taken. */
  next(sessionId: string, answer?: { stepId: string; value?: unknown }): Promise<Told>;
  cancel(sessionId: string): Promise<Told>;
  status(sessionId: string): Promise<{ status: Status; error?: Told["error"] }>;
  /** Ends the one that goes on; for the end of the gateway. */
  close(): Promise<void>;
}

/** A set-up that nobody has answered for so long is ended, in ms. */
const IDLE_MS = 15 * 60_000;
/** A picture of a sign-in is waited for no longer than this at a time, in ms. */
const STEP_MS = 60_000;

export function openWizard(deps: DeskDeps, idleMs = IDLE_MS): WizardDesk {
  const { config, paths, log } = deps;
  const now: { session?: WizardSession; timer?: ReturnType<typeof setTimeout> } = {};
  const bench: Bench = {
    program: paths.profile ? `${PRODUCT} --profile ${paths.profile}` : PRODUCT,
    paths,
    env: () => config.env(),
    config: () => config.current(),
    async edit(changes) {
      await config.edit(changes);
    },
    learn: (secret) => deps.learn(secret),
    link: (at, show, signal) => link(deps, at, show, signal),
  };

  const touch = () => {
    clearTimeout(now.timer);
    if (now.session?.status !== "running") return;
    now.timer = setTimeout(() => {
      if (now.session) background("ending a set-up that nobody answers", now.session.cancel(), log);
    }, idleMs);
    now.timer.unref();
  };

  const find = (sessionId: string): WizardSession => {
    if (now.session?.id === sessionId) return now.session;
    throw new AppError("bad_request", "wizard not found", { hint: "Begin a new one." });
  };

  return {
    async start({ workspace }) {
      refuseInNixMode(config.env(), "config");
      if (now.session?.status === "running")
        throw new AppError("busy", "wizard already running", {
          details: { sessionId: now.session.id },
          hint: "Go on with it, or cancel it.",
        });
      const session = new WizardSession(async (guide) => {
        const plan = await askEverything(
          bench,
          {
            riskAccepted: false,
            flow: "quickstart",
            ...(workspace && { workspace }),
            model: { keys: {} },
            skipChannels: false,
            daemon: false,
          },
          { guide, asks: true },
          { service: false },
        );
        if (!plan) return false;
        const { lines } = await carryOut(bench, plan, guide, "onboard");
        const model = await deps.models.defaultRef(defaultAgentId(config.current().agents));
        await guide.note([`${model} answers now.`, ...lines].join("\n"), "Ready");
        return true;
      });
      now.session = session;
      touch();
      return { sessionId: session.id, ...(await session.look()) };
    },
    async next(sessionId, answer) {
      const session = find(sessionId);
      touch();
      return answer ? session.next(answer) : session.look();
    },
    async cancel(sessionId) {
      const session = find(sessionId);
      await session.cancel();
      return session.told();
    },
    async status(sessionId) {
      const { status, error } = find(sessionId).told();
      return { status, ...(error && { error }) };
    },
    async close() {
      clearTimeout(now.timer);
      await now.session?.cancel();
    },
  };
}

/** Signs in through the running gateway's own desk. */
async function link(
  { logins, log }: Pick<DeskDeps, "logins" | "log">,
  at: Parameters<Bench["link"]>[0],
  show: Parameters<Bench["link"]>[1],
  signal: AbortSignal,
): Promise<string> {
  const leave = () => background("ending a sign-in", logins.cancel(at), log);
  signal.addEventListener("abort", leave, { once: true });
  try {
    let step = await logins.start(at, { force: false, timeoutMs: STEP_MS });
    for (;;) {
      if (step.kind === "done") return step.text;
      if (step.kind === "failed") throw step.error;
      show(shownOf(step));
      const next = await logins.wait(at, STEP_MS);
      if (!next && !logins.goesOn(at))
        throw new AppError("not_linked", "Nobody scanned it in time.");
      step = next ?? step;
    }
  } finally {
    signal.removeEventListener("abort", leave);
  }
}

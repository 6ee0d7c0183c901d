/** Set-ups through the gateway, loaded when the first one begins: a gateway that is set up already never needs them. */
import type { DeskDeps, WizardDesk } from "./desk.ts";

/** Cheap to call. What it gives can be used at once; `close` ends what goes on, if anything does. */
export function lazyWizard(deps: DeskDeps): WizardDesk {
  const loaded: { desk?: Promise<WizardDesk> } = {};
  const desk = () =>
    (loaded.desk ??= import("./desk.ts").then(({ openWizard }) => openWizard(deps)));
  return {
    start: async (wish) => (await desk()).start(wish),
    next: async (sessionId, answer) => (await desk()).next(sessionId, answer),
    cancel: async (sessionId) => (await desk()).cancel(sessionId),
    status: async (sessionId) => (await desk()).status(sessionId),
    close: async () => (await loaded.desk)?.close(),
  };
}

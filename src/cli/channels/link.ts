/** Signing in and out: through the running gateway, or with the store itself while none runs. */
import { AppError } from "../../base/errors.ts";
import { silentLogger } from "../../base/log.ts";
import { systemClock } from "../../base/time.ts";
import type { Channel, LoginStep } from "../../channels/channel.ts";
import { type LoginDesk, openLogins } from "../../channels/login-desk.ts";
import { type NetworkId, NETWORKS } from "../../channels/registry.ts";
import { accountState } from "../../store/account-state.ts";
import { shownOf } from "../../wizard/sign-in.ts";
import type { Cli } from "../command.ts";
import type { Gateway } from "../rpc.ts";
import { configuredAccounts, usableSettings } from "./accounts.ts";
import { withStore } from "./reach.ts";
import type { Screen } from "./sign-in.ts";

export type Place = { channel: NetworkId; account: string };
export type Wish = { force: boolean; phone?: string };

/** A sign-in lives for three minutes in the gateway; one picture is waited for no longer than this at a time, in ms. */
const STEP_MS = 60_000;
const FIRST_MS = 30_000;

/** Gives the last words of the sign-in. Throws what ended it. */
export async function signInThrough(
  { client }: Gateway,
  { channel, account }: Place,
  wish: Wish,
  screen: Screen,
): Promise<string> {
  const where = { channel, accountId: account };
  const start = { ...where, ...wish, timeoutMs: FIRST_MS };
  const first = await client.call("web.login.start", start, { timeoutMs: FIRST_MS + 5_000 });
  if (first.connected) return first.message;
  screen.show(first);
  for (;;) {
    const step = await client.call(
      "web.login.wait",
      { ...where, timeoutMs: STEP_MS, next: true },
      { timeoutMs: STEP_MS + 5_000 },
    );
    if (step.connected) return step.message;
    if (step.over) throw new AppError("not_linked", step.message);
    screen.show(step);
  }
}

/** The same without a gateway. What the sign-in leaves is in the store when it resolves. */
export const signInAlone = (cli: Cli, at: Place, wish: Wish, screen: Screen): Promise<string> =>
  withDesk(cli, async (desk) => {
    let step: LoginStep | undefined = await desk.start(at, { ...wish, timeoutMs: FIRST_MS });
    for (;;) {
      if (step?.kind === "done") return step.text;
      if (step?.kind === "failed") throw step.error;
      if (step) screen.show(shownOf(step));
      step = await desk.wait(at, STEP_MS);
    }
  });

export const signOutAlone = (cli: Cli, at: Place): Promise<boolean> =>
  withDesk(cli, (desk) => desk.logout(at));

/** Nothing else of a channel runs in this process, so nothing has to be stopped or started around it. */
async function withDesk<T>(cli: Cli, use: (desk: LoginDesk) => Promise<T>): Promise<T> {
  const settings = await usableSettings(cli);
  const rows = await configuredAccounts(settings);
  return withStore(cli, async (store) => {
    const desk = openLogins({
      clock: systemClock,
      log: silentLogger,
      load: async (channel) => (await NETWORKS[channel].load()).default as Channel,
      plan: async ({ channel, account }) =>
        rows.find((row) => row.channel === channel && row.plan.id === account)?.plan,
      env: (name) => settings.env.raw(name),
      state: (channel, account) => accountState(store.kv, channel, account),
      stop: async () => undefined,
      start: async () => undefined,
    });
    try {
      return await use(desk);
    } finally {
      await desk.close();
    }
  });
}

import { expect, test } from "bun:test";

import { AppError } from "../base/errors.ts";
import { silentLogger } from "../base/log.ts";
import type { Clock } from "../base/time.ts";
import type { AccountState, Channel, LoginContext, LoginStep } from "./channel.ts";
import { openLogins } from "./login-desk.ts";
import { NETWORK_IDS } from "./registry.ts";

const [CHANNEL] = NETWORK_IDS;
const AT = { channel: CHANNEL!, account: "default" };
const WISH = { force: false, timeoutMs: 60_000 };

/** Time that moves only when a test says so. */
class Hands implements Clock {
  private at = 0;
  private readonly sleepers = new Set<{ until: number; wake(): void }>();
  now(): number {
    return this.at;
  }
  sleep(ms: number, signal?: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      const one = { until: this.at + ms, wake: resolve };
      this.sleepers.add(one);
      signal?.addEventListener("abort", () => {
        this.sleepers.delete(one);
        reject(signal.reason);
      });
    });
  }
  move(ms: number): void {
    this.at += ms;
    for (const one of [...this.sleepers])
      if (one.until <= this.at) {
        this.sleepers.delete(one);
        one.wake();
      }
  }
}

const state: AccountState = {
  get: async () => undefined,
  put: async () => undefined,
  keys: async () => [],
  clear: async () => undefined,
};

/** A channel whose sign-in says what the test says. */
function desk(over: { known?: boolean; logout?: boolean } = {}) {
  const { known = true } = over;
  const did: string[] = [];
  const clock = new Hands();
  const begun: LoginContext<unknown>[] = [];
  let steps: { push(step: LoginStep): void }[] = [];
  const channel = {
    id: "x",
    config: { parse: () => ({ made: true }) },
    async *login(ctx: LoginContext<unknown>) {
      begun.push(ctx);
      const queue: LoginStep[] = [];
      let wake = () => {};
      steps.push({
        push(step) {
          queue.push(step);
          wake();
        },
      });
      ctx.signal.addEventListener("abort", () => wake());
      try {
        while (!ctx.signal.aborted) {
          const step = queue.shift();
          if (step) yield step;
          else await new Promise<void>((resolve) => (wake = resolve));
        }
      } finally {
        did.push("closed");
      }
    },
    ...(over.logout !== false && {
      async logout() {
        did.push("logout");
        return true;
      },
    }),
  } as unknown as Channel;
  const logins = openLogins({
    clock,
    log: silentLogger,
    load: async () => channel,
    plan: async ({ account }) =>
      known
        ? { id: account, enabled: true, config: { own: 1 }, credential: { source: "linked" } }
        : undefined,
    env: () => undefined,
    state: () => state,
    stop: async () => void did.push("stop"),
    start: async () => void did.push("start"),
    linked: async ({ account }) => void did.push(`linked ${account}`),
  });
  return {
    logins,
    clock,
    did,
    begun,
    /** Speaks in the newest sign-in, as soon as it has begun. */
    async say(step: LoginStep) {
      while (steps.length === 0) await Promise.resolve();
      steps.at(-1)!.push(step);
    },
    forget: () => (steps = []),
  };
}

const qr = (data: string): LoginStep => ({ kind: "qr", data });
const done: LoginStep = { kind: "done", text: "Linked." };

test("a sign-in stops the account, shows pictures as they come, and starts the account again", async () => {
  const { logins, did, say, begun } = desk();
  const first = logins.start(AT, WISH);
  await say({ kind: "wait", text: "Connecting." });
  await say(qr("one"));
  expect(await first).toEqual(qr("one"));
  expect(did).toEqual(["stop"]);
  expect(begun[0]!.config).toEqual({ own: 1 });
  await say(qr("two"));
  expect(await logins.wait(AT, 1_000)).toEqual(qr("two"));
  await say(done);
  expect(await logins.wait(AT, 1_000)).toEqual(done);
  await logins.cancel(AT);
  expect(did).toEqual(["stop", "closed", "start"]);
  // It is over, so there is nothing to wait for.
  expect(await logins.wait(AT, 1_000)).toBeUndefined();
});

test("the end is given to whoever comes later, and a picture that is old by then is not", async () => {
  const { logins, say } = desk();
  const first = logins.start(AT, WISH);
  await say(qr("one"));
  await first;
  await say(qr("two"));
  await say(qr("three"));
  await say(done);
  let step = await logins.wait(AT, 1_000);
  while (step?.kind !== "done") step = await logins.wait(AT, 1_000);
  expect(step).toEqual(done);
});

test("two who begin at once share one sign-in; another wish begins anew after the first is closed", async () => {
  const { logins, say, begun, did, forget } = desk();
  const both = [logins.start(AT, WISH), logins.start(AT, WISH)];
  await say(qr("one"));
  expect(await Promise.all(both)).toEqual([qr("one"), qr("one")]);
  expect(begun.length).toBe(1);
  forget();
  const again = logins.start(AT, { ...WISH, phone: "+15551234567" });
  await say({ kind: "code", code: "ABCD-EFGH" });
  expect(await again).toEqual({ kind: "code", code: "ABCD-EFGH" });
  expect(begun[1]).toMatchObject({ phone: "+15551234567", force: false });
  expect(did).toEqual(["stop", "closed", "start", "stop"]);
  await logins.close();
});

test("an account that the config does not name is written there before the end is told", async () => {
  const { logins, say, did, begun } = desk({ known: false });
  const first = logins.start({ ...AT, account: "work" }, WISH);
  await say(done);
  expect(await first).toEqual(done);
  expect(did.slice(0, 3)).toEqual(["stop", "closed", "linked work"]);
  expect(begun[0]!.config).toEqual({ made: true });
});

test("nobody scans it: after three minutes it ends, and says what to do", async () => {
  const { logins, say, clock } = desk();
  const first = logins.start(AT, WISH);
  await say(qr("one"));
  await first;
  const end = logins.wait(AT, 600_000);
  clock.move(179_999);
  clock.move(1);
  const step = await end;
  expect(step).toMatchObject({ kind: "failed", error: { code: "not_linked" } });
  expect((step as { error: AppError }).error.hint).toContain("channels login");
});

test("a sign-in that breaks is a failed step, and the account is started again", async () => {
  const { logins, did } = desk();
  const broken = openLogins({
    ...({} as Parameters<typeof openLogins>[0]),
    clock: new Hands(),
    log: silentLogger,
    load: async () =>
      ({
        config: { parse: () => ({}) },
        // oxlint-disable-next-line require-yield
        async *login() {
          throw new AppError("channel_unreachable", "No network.");
        },
      }) as unknown as Channel,
    plan: async () => undefined,
    env: () => undefined,
    state: () => state,
    stop: async () => void did.push("stop"),
    start: async () => void did.push("start"),
  });
  const step = await broken.start(AT, WISH);
  expect(step).toMatchObject({ kind: "failed", error: { code: "channel_unreachable" } });
  await broken.close();
  expect(did).toEqual(["stop", "start"]);
  await logins.close();
});

test("a wait that is too long gives nothing, and the sign-in goes on", async () => {
  const { logins, say, clock } = desk();
  const first = logins.start(AT, { ...WISH, timeoutMs: 5_000 });
  await say({ kind: "wait", text: "Connecting." });
  clock.move(5_000);
  expect(await first).toEqual({ kind: "wait", text: "Still connecting." });
  const none = logins.wait(AT, 1_000);
  clock.move(1_000);
  expect(await none).toBeUndefined();
  const next = logins.wait(AT, 1_000);
  await say(qr("one"));
  expect(await next).toEqual(qr("one"));
  await logins.close();
});

test("a sign-out ends a sign-in, stops the account, and starts it again", async () => {
  const { logins, say, did } = desk();
  const first = logins.start(AT, WISH);
  await say(qr("one"));
  await first;
  expect(await logins.logout(AT)).toBe(true);
  expect(did).toEqual(["stop", "closed", "start", "stop", "logout", "start"]);
});

test("what a channel cannot do is refused with what to do instead", async () => {
  const none = desk({ logout: false });
  await expect(none.logins.logout(AT)).rejects.toMatchObject({
    code: "bad_request",
    message: expect.stringContaining("does not support logout"),
  });
  expect(none.did).toEqual([]);
});

test("the end of the process ends sign-ins and starts nothing any more", async () => {
  const { logins, say, did } = desk();
  const first = logins.start(AT, WISH);
  await say(qr("one"));
  await first;
  await logins.close();
  expect(did).toEqual(["stop", "closed"]);
});

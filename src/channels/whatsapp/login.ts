/** Linking a phone: a picture to scan or a code to type, and the new connection that WhatsApp wants right after. */
import type { WASocket } from "@whiskeysockets/baileys";

import { AppError } from "../../base/errors.ts";
import type { Logger } from "../../base/log.ts";
import { background } from "../../base/task.ts";
import { pause, systemClock } from "../../base/time.ts";
import type { AccountState, LoginContext, LoginStep } from "../channel.ts";
import type { WhatsappConfig } from "./config.ts";
import { personId, phoneNumber } from "./jid.ts";
import { IMPORTED } from "./legacy.ts";
import { type Ending, loginCommand } from "./reasons.ts";
import { connect, type Connection, keepAliveFor, type Place, placeOf } from "./socket.ts";
import { forgetLink, isLinked, storedCreds, Vault } from "./vault.ts";

/** As long as the pictures that WhatsApp hands out live, together. */
const LIMIT_MS = 180_000;
const LOGOUT_MS = 10_000;
/** Before a new picture is asked for. */
const AGAIN_MS = 500;

type Context = LoginContext<WhatsappConfig>;
type Heard =
  | { kind: "qr"; data: string }
  | { kind: "open" }
  | { kind: "ended"; ending: Ending }
  | { kind: "limit" }
  | { kind: "aborted" };

export async function* login(ctx: Context): AsyncIterable<LoginStep> {
  const place = placeOf(ctx.env);
  const linked = await storedCreds(ctx.state);
  if (linked && !ctx.force) {
    yield { kind: "done", text: `WhatsApp is linked already, as ${whoIs(linked.me?.id)}.` };
    return;
  }
  const phone = ctx.phone === undefined ? undefined : phoneNumber(ctx.phone);
  if (ctx.phone !== undefined && !phone) {
    const hint = "Write it with its country, as +15551234567.";
    const text = `"${ctx.phone}" is no international phone number.`;
    yield { kind: "failed", error: new AppError("bad_request", text, { hint }) };
    return;
  }
  if (linked) await signOff(ctx, place);
  await forgetLink(ctx.state);
  yield* linking(ctx, place, phone?.slice(1));
}

async function* linking(
  ctx: Context,
  place: Place,
  digits: string | undefined,
): AsyncIterable<LoginStep> {
  const ears = new Ears(ctx.signal);
  let vault = candidate(ctx);
  let asked = false;
  let open = listen(ctx, place, vault, ears);
  try {
    for (;;) {
      const heard = await ears.next();
      if (heard.kind === "aborted") return;
      if (heard.kind === "limit") {
        yield failed(ctx, "Nobody linked a phone within three minutes.");
        return;
      }
      if (heard.kind === "open") {
        await vault.settled();
        yield { kind: "done", text: `Linked as ${whoIs(vault.creds.me?.id)}.` };
        return;
      }
      if (heard.kind === "qr") {
        if (!digits) yield { kind: "qr", data: heard.data };
        else if (!asked) {
          asked = true;
          yield { kind: "code", code: withDash(await open.sock.requestPairingCode(digits)) };
        }
        continue;
      }
      open.drop();
      const { ending } = heard;
      if (isLinked(vault.creds) && ending.next !== "never") {
        // The phone has accepted; WhatsApp ends this connection (515) and wants one with the new identity.
        await vault.settled();
        yield { kind: "wait", text: "The phone accepted. Signing in." };
      } else if (ending.next === "again") {
        // The pictures are used up, or the network had a bad moment: both want new ones.
        vault = candidate(ctx);
        asked = false;
        yield { kind: "wait", text: "The code is not valid any more. Here is a new one." };
        if (!(await pause(systemClock, AGAIN_MS, ctx.signal))) return;
      } else {
        await forgetLink(ctx.state);
        yield failed(ctx, ending.text);
        return;
      }
      open = listen(ctx, place, vault, ears);
    }
  } finally {
    ears.close();
    open.drop();
    await vault.settled();
  }
}

/** Nothing is stored until a phone has accepted: a link that was not finished must not look like one. */
const candidate = (ctx: Context): Vault => new Vault(pendingState(ctx.state), ctx.log, ctx.signal);

function pendingState(state: AccountState): AccountState {
  let held: Record<string, unknown> | undefined = {};
  return {
    ...{ get: (key) => state.get(key), keys: (prefix) => state.keys(prefix) },
    clear: () => forget(state),
    async put(entries) {
      const creds = entries.creds as { account?: unknown } | undefined;
      if (held && !creds?.account) {
        held = { ...held, ...entries };
        return;
      }
      await state.put({ ...held, ...entries });
      held = undefined;
    },
  };
}

function listen(ctx: Context, place: Place, vault: Vault, ears: Ears): Connection {
  const web = ctx.config.web?.heartbeatSeconds ?? 60;
  const connection = connect({
    ...{ vault, place, log: ctx.log, keepAliveMs: keepAliveFor(web) },
    sent: async () => undefined,
    group: () => undefined,
  });
  connection.sock.ev.on("connection.update", ({ qr, connection: state }) => {
    if (qr) ears.hear({ kind: "qr", data: qr });
    if (state === "open") ears.hear({ kind: "open" });
  });
  const ended = connection.ended.then((ending) => ears.hear({ kind: "ended", ending }));
  background("a sign-in", ended, ctx.log);
  return connection;
}

const failed = (ctx: Context, text: string): LoginStep => ({
  kind: "failed",
  error: new AppError("not_linked", text, {
    hint: `Try again with \`${loginCommand(ctx.account)}\`.`,
  }),
});

const withDash = (code: string): string => `${code.slice(0, 4)}-${code.slice(4)}`;
const whoIs = (jid: string | undefined): string => personId(jid ?? "") ?? "unknown";

/** What happens, in order, for a generator that looks at one thing at a time. */
class Ears {
  private readonly heard: Heard[] = [];
  private wake: (() => void) | undefined;
  private readonly timer: ReturnType<typeof setTimeout>;
  private readonly aborted = (): void => this.hear({ kind: "aborted" });

  constructor(private readonly signal: AbortSignal) {
    this.timer = setTimeout(() => this.hear({ kind: "limit" }), LIMIT_MS);
    if (signal.aborted) this.aborted();
    signal.addEventListener("abort", this.aborted, { once: true });
  }

  hear(what: Heard): void {
    this.heard.push(what);
    this.wake?.();
  }

  async next(): Promise<Heard> {
    while (!this.heard.length)
      await new Promise<void>((resolve) => {
        this.wake = resolve;
      });
    return this.heard.shift()!;
  }

  close(): void {
    clearTimeout(this.timer);
    this.signal.removeEventListener("abort", this.aborted);
  }
}

/** Tells WhatsApp to forget the link, and forgets it. Gives whether there was one. */
export async function logout(ctx: Context): Promise<boolean> {
  const linked = Boolean(await storedCreds(ctx.state));
  if (linked) await signOff(ctx, placeOf(ctx.env));
  await forget(ctx.state);
  return linked;
}

/** As far as that works: without a network the phone shows the device until it is removed there. */
async function signOff(ctx: Context, place: Place): Promise<void> {
  const creds = await storedCreds(ctx.state);
  if (!creds) return;
  const vault = new Vault(ctx.state, ctx.log, ctx.signal, creds);
  const ears = new Ears(ctx.signal);
  const open = listen(ctx, place, vault, ears);
  const timer = setTimeout(() => ears.hear({ kind: "limit" }), LOGOUT_MS);
  try {
    const { kind } = await ears.next();
    if (kind === "open") await goodbye(open.sock, ctx.log);
    else ctx.log.info("WhatsApp could not be told; remove the device on the phone");
  } finally {
    clearTimeout(timer);
    ears.close();
    open.drop();
    await vault.settled();
  }
}

async function goodbye(sock: WASocket, log: Logger): Promise<void> {
  try {
    // The library's own `logout` ends the connection behind its back, before the server can have it.
    await sock.query(
      {
        tag: "iq",
        attrs: { to: "@s.whatsapp.net", type: "set", xmlns: "md" },
        content: [
          {
            tag: "remove-companion-device",
            attrs: { jid: sock.authState.creds.me?.id ?? "", reason: "user_initiated" },
          },
        ],
      },
      LOGOUT_MS,
    );
  } catch (cause) {
    log.info("WhatsApp could not be told; remove the device on the phone", {
      error: String(cause),
    });
  }
}

/** Everything of the link, and the memory of an older installation's. */
async function forget(state: AccountState): Promise<void> {
  await state.clear();
  await state.put({ [IMPORTED]: true });
}

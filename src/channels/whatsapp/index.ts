/** WhatsApp: a linked device of a phone's account, by Baileys. */
import { toAppError } from "../../base/errors.ts";
import { background } from "../../base/task.ts";
import { systemClock } from "../../base/time.ts";
import type { Inbound } from "../../flow.ts";
import { channel, type ChannelAccount, type ChannelContext, type Probe } from "../channel.ts";
import { Acks } from "./acks.ts";
import { WhatsappConfig } from "./config.ts";
import { OWNER_ROLE } from "./facts.ts";
import { saveFile } from "./files.ts";
import { Groups } from "./groups.ts";
import { type Arrived, type Lookups, numberFrom } from "./inbound.ts";
import { Intake } from "./intake.ts";
import { keyName } from "./key-name.ts";
import { IMPORTED, importFolder } from "./legacy.ts";
import { Link, roundTrip } from "./link.ts";
import { login, logout } from "./login.ts";
import { CAPTION, Outgoing } from "./outbound.ts";
import { Pace } from "./pace.ts";
import { notLinked } from "./reasons.ts";
import { Recent } from "./recent.ts";
import { Sent } from "./sent.ts";
import { placeOf } from "./socket.ts";
import { storedCreds, Vault } from "./vault.ts";

export default channel({
  id: "whatsapp",
  config: WhatsappConfig,
  limits: { text: 4000, caption: CAPTION },
  render: "whatsapp",
  // The key makes the message's id, which phones show once.
  idempotent: true,
  start,
  login,
  logout,
});

async function start(given: ChannelContext<WhatsappConfig>): Promise<ChannelAccount> {
  // Ends with `stop` too, not only when the supervisor says so.
  const over = new AbortController();
  const ctx = { ...given, signal: AbortSignal.any([given.signal, over.signal]) };
  const { config, state, signal, log } = ctx;
  const place = placeOf(ctx.env);
  const creds = (await storedCreds(state)) ?? (await imported(ctx));
  if (!creds) {
    ctx.status({ linked: false });
    throw notLinked("WhatsApp is not linked to a phone.", ctx.account);
  }
  ctx.status({ linked: true, mode: "socket" });
  const vault = new Vault(state, log, signal, creds);
  const [recent, sent] = [await Recent.load(state), new Sent(state)];
  const [acks, groups] = [new Acks(), new Groups(() => systemClock.now())];
  const pace = new Pace(config.pace, state, systemClock, signal);
  const look: Lookups = {
    ...{ account: ctx.account, config, recent },
    // The hidden id of an older link comes with the first sign-in.
    get me() {
      return vault.creds.me!;
    },
    numberOf: async (lid) =>
      numberFrom(await state.get(keyName("lid-mapping", `${lid.split("@")[0]}_reverse`))),
    group: (jid) => link.group(jid),
    isOurs: async (id) => Boolean(await sent.find(id)),
    wants: (inbound) => ctx.wants(inbound),
    save: (arrived, content) =>
      saveFile(arrived, content, {
        ...{ media: ctx.media, maxMb: config.mediaMaxMb, mediaRoot: place.mediaRoot, signal, log },
        sock: () => link.sock,
      }),
  };
  const intake = new Intake({
    ...{ state, receive: ctx.receive, signal, log, look },
    hasGroup: (jid) => groups.fresh(jid) !== undefined,
    met: (person) => pace.met(person),
    accepted: (arrived, inbound) => taken(arrived, inbound),
  });
  const link = new Link({ ctx, place, vault, intake, recent, sent, groups, acks });
  const outgoing = new Outgoing({
    ...{ link, acks, pace, recent, sent, log },
    media: ctx.media,
    mediaRoot: place.mediaRoot,
  });

  function taken({ key }: Arrived, inbound: Inbound): void {
    const own = inbound.sender.roles?.includes(OWNER_ROLE);
    if (own || !config.sendReadReceipts || inbound.event) return;
    background("a read receipt", ticks(key), log);
  }

  /** Where the connection is gone meanwhile there are no blue ticks, and that is all. */
  async function ticks(key: Arrived["key"]): Promise<void> {
    try {
      const sock = await link.ready();
      await sock.readMessages([key]);
    } catch (cause) {
      log.debug("no read receipt", { error: toAppError(cause).message });
    }
  }

  if (ctx.listen) await intake.resume();
  link.start();
  return {
    send: (out) => outgoing.send(out),
    edit: (to, id, text) => outgoing.edit(to, id, text),
    remove: (to, id) => outgoing.remove(to, id),
    react: (to, id, emoji, sender) => outgoing.react(to, id, emoji, sender),
    poll: (to, poll) => outgoing.poll(to, poll),
    typing: (to) => outgoing.typing(to),
    probe: () => probe(link),
    async stop() {
      over.abort();
      await link.ended();
      await intake.idle();
    },
  };
}

/** The link of an older installation, once. */
async function imported(ctx: ChannelContext<WhatsappConfig>) {
  if (await ctx.state.get(IMPORTED)) return undefined;
  const files = await importFolder(ctx.state, ctx.config.authDir ?? ctx.legacyDir);
  if (!files) return undefined;
  ctx.log.info("took over the link of an older installation", { files });
  return storedCreds(ctx.state);
}

async function probe(link: Link): Promise<Probe> {
  const begun = performance.now();
  const elapsed = (): number => Math.round(performance.now() - begun);
  try {
    const sock = await link.ready(5000);
    const ms = await roundTrip(sock);
    if (ms !== undefined)
      return { ok: true, elapsedMs: elapsed(), detail: `Connected; a round trip took ${ms} ms.` };
    return { ok: false, elapsedMs: elapsed(), detail: "WhatsApp does not answer." };
  } catch (cause) {
    const { message, hint } = toAppError(cause);
    return { ok: false, elapsedMs: elapsed(), detail: hint ? `${message} ${hint}` : message };
  }
}

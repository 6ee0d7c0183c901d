/**
 * Incoming message stanzas of one connection, one at a time: decrypted, stored together with the keys that this used up, and only
 * then acknowledged. The server keeps what is not acknowledged and delivers it again after the next connect, so the process may
 * die between any two of these steps.
 */
import {
  type BinaryNode,
  cleanMessage,
  Curve,
  decryptMessageNode,
  getBinaryNodeChild,
  getHistoryMsg,
  isJidBroadcast,
  isJidNewsletter,
  isLidUser,
  jidNormalizedUser,
  MISSING_KEYS_ERROR_TEXT,
  NACK_REASONS,
  NO_MESSAGE_FOUND_ERROR_TEXT,
  proto,
  type WAMessage,
} from "@whiskeysockets/baileys";

import type { Logger } from "../../base/log.ts";
import { background } from "../../base/task.ts";
import type { Arrived } from "./inbound.ts";
import type { Intake } from "./intake.ts";
import { libraryLogger } from "./logger.ts";
import type { Recent } from "./recent.ts";
import type { Connection } from "./socket.ts";
import type { Vault } from "./vault.ts";

export type InboxDeps = {
  connection: Connection;
  vault: Vault;
  intake: Intake;
  recent: Recent;
  log: Logger;
};

type Decoded = ReturnType<typeof decryptMessageNode>;
const CIPHERTEXT = proto.WebMessageInfo.StubType.CIPHERTEXT;
/** Older ones are not on the phone any more. */
const RESEND_SECONDS = 14 * 86_400;

export class Inbox {
  private readonly waiting: BinaryNode[] = [];
  private running: Promise<void> | undefined;
  private closed = false;
  private readonly logger: ReturnType<typeof libraryLogger>;

  constructor(private readonly deps: InboxDeps) {
    this.logger = libraryLogger(deps.log);
    deps.connection.sock.ws.on("CB:message", (node: BinaryNode) => {
      if (this.closed) return;
      this.waiting.push(node);
      this.running ??= this.run();
      background("taking messages", this.running, deps.log);
    });
    // What the phone hands in later, when we asked it for a message that had come without its text.
    deps.connection.sock.ev.on("messages.upsert", ({ messages, requestId }) => {
      if (!requestId || this.closed) return;
      for (const message of messages)
        background("a message of the phone", deps.intake.offer(arrivedOf(message), {}), deps.log);
    });
  }

  /** Nothing more is taken; resolves when the one that is being stored is. */
  async close(): Promise<void> {
    this.closed = true;
    this.waiting.length = 0;
    await this.running;
  }

  private async run(): Promise<void> {
    for (let node = this.waiting.shift(); node; node = this.waiting.shift())
      try {
        await this.take(node);
      } catch (cause) {
        // Not acknowledged, so it comes again with the next connection; it holds up no other meanwhile.
        this.deps.log.warn("a message was not taken and will be delivered again", {
          error: String(cause),
        });
      }
    this.running = undefined;
  }

  private async take(node: BinaryNode): Promise<void> {
    const { connection, recent, vault } = this.deps;
    const { sock, receiving } = connection;
    const from = node.attrs.from ?? "";
    // Status updates and newsletters are written to everybody: nobody waits for an answer.
    if (isJidBroadcast(from) || isJidNewsletter(from)) return sock.sendMessageAck(node);
    // Made with a secret of the phone that a linked device does not have.
    if (getBinaryNodeChild(node, "enc")?.attrs.type === "msmsg")
      return sock.sendMessageAck(node, NACK_REASONS.MissingMessageSecret);
    const { me } = sock.authState.creds;
    const decoded = this.decode(node, me?.id ?? "", me?.lid ?? "");
    if (!decoded) return sock.sendMessageAck(node, NACK_REASONS.UnrecognizedStanza);
    const message = decoded.fullMessage as WAMessage;
    const known = {
      jid: jidNormalizedUser(message.key.remoteJid ?? ""),
      ...(message.key.participant && { participant: jidNormalizedUser(message.key.participant) }),
      id: message.key.id ?? "",
    };
    // With devices, as the receipt must name it; what is handed on has none.
    const key = { ...message.key };
    if (recent.has(known)) return this.receipt(decoded, key);
    await vault.unit(async (keys) => {
      await this.learn(message, receiving);
      await decoded.decrypt();
      if (message.messageStubType === CIPHERTEXT) return;
      cleanMessage(message, me?.id ?? "", me?.lid ?? "");
      await this.deps.intake.offer(arrivedOf(message), keys());
    });
    if (message.messageStubType === CIPHERTEXT) return this.unreadable(node, message);
    await this.receipt(decoded, key, message.message);
    // For what is not a person's message: keys of the phone, mappings of numbers, answers to our own questions.
    background("digesting a message", sock.upsertMessage(message, "notify"), this.deps.log);
  }

  private decode(node: BinaryNode, id: string, lid: string): Decoded | undefined {
    try {
      const { receiving } = this.deps.connection;
      return decryptMessageNode(node, id, lid, receiving, this.logger);
    } catch (cause) {
      this.deps.log.debug("a stanza is no message", { error: String(cause) });
      return undefined;
    }
  }

  /** One person has a number and a hidden id; a session under the number moves to the id that is used from now on. */
  private async learn({ key }: WAMessage, receiving: Connection["receiving"]): Promise<void> {
    const alias = key.participantAlt || key.remoteJidAlt;
    const primary = key.participant || key.remoteJid;
    if (!alias || !primary) return;
    const [lid, pn] = isLidUser(alias) ? [alias, primary] : [primary, alias];
    if (await receiving.lidMapping.getPNForLID(lid)) return;
    await receiving.lidMapping.storeLIDPNMappings([{ lid, pn }]);
    await receiving.migrateSession(pn, lid);
  }

  /** It could not be decrypted; whether asking again can help depends on why. */
  private async unreadable(node: BinaryNode, message: WAMessage): Promise<void> {
    const { sock } = this.deps.connection;
    const why = message.messageStubParameters?.[0];
    this.deps.log.info("a message could not be decrypted", { error: String(why) });
    // Its key is gone: it was taken before, long ago.
    if (why === MISSING_KEYS_ERROR_TEXT)
      return sock.sendMessageAck(node, NACK_REASONS.ParsingError);
    if (why !== NO_MESSAGE_FOUND_ERROR_TEXT) {
      await this.deps.vault.spareKey(() => Curve.generateKeyPair());
      await sock.sendRetryRequest(node, !getBinaryNodeChild(node, "enc"));
      return sock.sendMessageAck(node, NACK_REASONS.UnhandledError);
    }
    const age = Date.now() / 1000 - Number(message.messageTimestamp);
    const fanout = getBinaryNodeChild(node, "unavailable")?.attrs.type?.endsWith("_fanout");
    if (!fanout && age < RESEND_SECONDS) {
      const { key, messageTimestamp, pushName } = message;
      const asked = sock.requestPlaceholderResend(key, { key, messageTimestamp, pushName });
      background("asking the phone for a message", asked, this.deps.log);
    }
    await sock.sendMessageAck(node);
  }

  private async receipt(
    { category, author }: Decoded,
    key: WAMessage["key"],
    message?: WAMessage["message"],
  ): Promise<void> {
    const { sock } = this.deps.connection;
    const own = key.fromMe;
    // `inactive`: nobody looks at this device.
    const type = category === "peer" ? "peer_msg" : own ? "sender" : "inactive";
    const hidden = own && (isLidUser(key.remoteJid ?? "") || isLidUser(key.remoteJidAlt ?? ""));
    const participant = own ? (hidden ? author : (key.participant ?? author)) : key.participant;
    await sock.sendReceipt(key.remoteJid!, participant ?? undefined, [key.id!], type);
    if (message && getHistoryMsg(message))
      await sock.sendReceipt(
        jidNormalizedUser(key.remoteJid!),
        undefined,
        [key.id!],
        "hist_sync" as never,
      );
  }
}

export const arrivedOf = ({ key, message, messageTimestamp, pushName }: WAMessage): Arrived => ({
  key: {
    remoteJid: key.remoteJid,
    fromMe: key.fromMe,
    id: key.id,
    ...(key.remoteJidAlt && { remoteJidAlt: key.remoteJidAlt }),
    ...(key.participant && { participant: key.participant }),
    ...(key.participantAlt && { participantAlt: key.participantAlt }),
  },
  message: message ?? {},
  at: Number(messageTimestamp) * 1000,
  ...(pushName && { name: pushName }),
});

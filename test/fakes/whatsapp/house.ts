/** A running account of the channel on the fake: with durable state that outlives it, so that a test can let it die anywhere. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import type { AppError } from "../../../src/base/errors.ts";
import type { ChannelAccount, ChannelContext } from "../../../src/channels/channel.ts";
import type { ChannelStatus } from "../../../src/channels/status.ts";
import { WhatsappConfig } from "../../../src/channels/whatsapp/config.ts";
import whatsapp from "../../../src/channels/whatsapp/index.ts";
import type { Address, Inbound, MediaRef, Outbound } from "../../../src/flow.ts";
import { MediaStore } from "../../../src/media/store.ts";
import { MemoryState } from "../../contract/platform.ts";
import { quiet } from "../../flow/house.ts";
import type { WhatsApp } from "./index.ts";

/** No waiting for the sake of the number's good name, and quick new connections. */
export const QUICK = {
  pace: { perMinute: 6000, burst: 1000, perChatMs: 0, newPeoplePerDay: 100 },
  web: { reconnect: { initialMs: 250, factor: 1.1, jitter: 0 } },
};

type Context = ChannelContext<WhatsappConfig>;
export type House = {
  account: ChannelAccount;
  state: MemoryState;
  received: Inbound[];
  status: Partial<ChannelStatus>;
  failures: AppError[];
  media: MediaStore;
  /** What was logged, as `level message`. */
  lines: string[];
  receives(count: number): Promise<void>;
  until(test: () => boolean): Promise<void>;
  stop(): Promise<void>;
};

/** The state of a link in memory, as the fake's device has it. */
export async function stateOf(fake: WhatsApp): Promise<MemoryState> {
  const state = new MemoryState();
  await state.put(fake.state);
  return state;
}

/** What is on the disk now, for a process that starts after this one was killed. */
export function copyOf(state: MemoryState): MemoryState {
  const copy = new MemoryState();
  for (const [key, value] of state.values) copy.values.set(key, value);
  return copy;
}

export async function begin(
  fake: WhatsApp,
  config: Record<string, unknown> = {},
  over: Partial<Context> = {},
  state?: MemoryState,
): Promise<House> {
  const kept = state ?? (await stateOf(fake));
  const received: Inbound[] = [];
  const failures: AppError[] = [];
  const status: Partial<ChannelStatus> = {};
  const lines: string[] = [];
  const waiting = new Set<() => void>();
  const look = (): void => [...waiting].forEach((each) => each());
  const until = (test: () => boolean): Promise<void> =>
    new Promise((done) => {
      const check = (): void => {
        if (!test()) return;
        waiting.delete(check);
        done();
      };
      waiting.add(check);
      check();
    });
  const root = mkdtempSync(join(tmpdir(), "clawdbot-whatsapp-"));
  const media = new MediaStore(root);
  const ending = new AbortController();
  const say = (level: string) => (message: string) => {
    lines.push(`${level} ${message}`);
    look();
  };
  const log = {
    ...{ error: say("error"), warn: say("warn"), info: say("info"), debug: quiet.debug },
    child: () => log,
  };
  const account = await whatsapp.start({
    account: "default",
    config: WhatsappConfig.parse({ ...QUICK, ...config }),
    env: (name) => fake.env[name],
    signal: ending.signal,
    log,
    listen: true,
    async receive(inbound, values) {
      if (values) await kept.put(values);
      const duplicate = received.some(({ id }) => id === inbound.id);
      received.push(inbound);
      look();
      return { runId: inbound.id, duplicate };
    },
    legacyDir: "/nowhere",
    wants: async () => true,
    say: async () => undefined,
    state: kept,
    media: {
      save: (data, about) => media.save("inbound", data, about),
      open: (ref) => media.open(ref),
    },
    status(patch) {
      Object.assign(status, patch);
      look();
    },
    failed(error) {
      failures.push(error);
      ending.abort();
      look();
    },
    commands: () => [],
    moved: async () => undefined,
    ...over,
  });
  return {
    ...{ account, state: kept, received, status, failures, media, lines, until },
    receives: (count) => until(() => received.length >= count),
    async stop() {
      ending.abort();
      await account.stop();
      rmSync(root, { recursive: true, force: true });
    },
  };
}

export const to = (chatId: string, more: Partial<Address> = {}): Address => ({
  channel: "whatsapp",
  account: "default",
  chatId,
  ...more,
});

export const out = (
  chatId: string,
  text: string,
  more: Partial<Omit<Outbound, "to">> & { replyToId?: string } = {},
): Outbound => {
  const { replyToId, ...rest } = more;
  return {
    to: to(chatId, replyToId ? { replyToId } : {}),
    text,
    plain: text,
    media: [],
    key: `key-${text}`,
    ...rest,
  };
};

export const inline = (
  kind: MediaRef["kind"],
  mime: string,
  bytes: Uint8Array,
  more: Partial<MediaRef> = {},
): MediaRef => ({ kind, mime, data: Buffer.from(bytes).toString("base64"), ...more });

/**
 * Why something was refused. Instead of `expect(promise).rejects`, which waits inside itself: Bun then reads the next frame of a
 * socket over the one that it is just taking apart, and the connection breaks.
 */
export async function refusal(work: Promise<unknown>): Promise<AppError> {
  try {
    await work;
  } catch (cause) {
    return cause as AppError;
  }
  throw new TypeError("it was not refused");
}

/** What the contract suite of channels needs: a platform that a test can speak through, and the context of a running account. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import type { AppError } from "../../src/base/errors.ts";
import type { AccountState, Channel, ChannelContext } from "../../src/channels/channel.ts";
import type { ChannelStatus } from "../../src/channels/status.ts";
import type { Address, Inbound } from "../../src/flow.ts";
import { MediaStore } from "../../src/media/store.ts";
import { quiet } from "../flow/house.ts";

/** A fake server of a network with one account that is let in, and a person who writes to it. */
export type Platform = {
  config: Record<string, unknown>;
  env?: Record<string, string>;
  /** What the account's durable state begins with: a link. */
  state?: Record<string, unknown>;
  /** An address that takes messages, and one that the platform refuses. */
  good: Address;
  refused: Address;
  /** Texts that arrived on the platform, oldest first. */
  arrived(): string[];
  /** A person writes. The same `id` again: the platform delivers the message once more. */
  says(text: string, id: string): Promise<void>;
  /** The next message that is sent is refused for now: come back after so many seconds. */
  busy(seconds: number): void;
  /** The next message that is sent meets a broken server. */
  broken(): void;
  /** Every open connection ends without a word. */
  cut(): void;
  /** The credential is worth nothing from now on, as if its owner had taken it back. */
  revoke(): void;
  close(): Promise<void>;
};

export type Started = {
  channel: Channel;
  account: Awaited<ReturnType<Channel["start"]>>;
  received: Inbound[];
  status: Partial<ChannelStatus>;
  state: MemoryState;
  failures: AppError[];
  /** Resolves when `received` has at least so many. */
  receives(count: number): Promise<void>;
  /** Resolves when the status fits, or something was refused for good. */
  until(test: (status: Partial<ChannelStatus>, failures: AppError[]) => boolean): Promise<void>;
  stop(): Promise<void>;
};

/** The durable values of an account, in memory. */
export class MemoryState implements AccountState {
  readonly values = new Map<string, string>();
  async get<T>(key: string): Promise<T | undefined> {
    const value = this.values.get(key);
    return value === undefined ? undefined : (JSON.parse(value) as T);
  }
  async put(entries: Record<string, unknown>): Promise<void> {
    for (const [key, value] of Object.entries(entries))
      if (value === undefined) this.values.delete(key);
      else this.values.set(key, JSON.stringify(value));
  }
  async keys(prefix: string): Promise<string[]> {
    return [...this.values.keys()].filter((key) => key.startsWith(prefix)).sort();
  }
  async clear(): Promise<void> {
    this.values.clear();
  }
}

/** Starts an account of the channel on the platform, as the supervisor would. `over` replaces parts of the context. */
export async function startOn(
  channel: Channel,
  platform: Pick<Platform, "config" | "env" | "state">,
  over: Partial<ChannelContext<never>> = {},
): Promise<Started> {
  const received: Inbound[] = [];
  const failures: AppError[] = [];
  const status: Partial<ChannelStatus> = {};
  const state = new MemoryState();
  if (platform.state) await state.put(platform.state);
  const waiting = new Set<() => void>();
  const look = () => {
    for (const each of [...waiting]) each();
  };
  const wait = (test: () => boolean) =>
    new Promise<void>((done) => {
      const check = () => {
        if (!test()) return;
        waiting.delete(check);
        done();
      };
      waiting.add(check);
      check();
    });
  const ending = new AbortController();
  const root = mkdtempSync(join(tmpdir(), "clawdbot-media-"));
  const media = new MediaStore(root);
  const account = await channel.start({
    account: "default",
    config: channel.config.parse(platform.config),
    env: (name) => platform.env?.[name],
    signal: ending.signal,
    log: quiet,
    listen: true,
    async receive(inbound, values) {
      if (values) await state.put(values);
      const duplicate = received.some((each) => each.id === inbound.id);
      if (!duplicate) received.push(inbound);
      look();
      return { runId: inbound.id, duplicate };
    },
    legacyDir: "/nowhere",
    wants: async () => true,
    say: async () => undefined,
    state,
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
      look();
    },
    commands: () => [],
    moved: async () => undefined,
    ...over,
  });
  return {
    channel,
    account,
    received,
    status,
    state,
    failures,
    receives: (count) => wait(() => received.length >= count),
    until: (test) => wait(() => test(status, failures)),
    async stop() {
      ending.abort();
      await account.stop();
      rmSync(root, { recursive: true, force: true });
    },
  };
}

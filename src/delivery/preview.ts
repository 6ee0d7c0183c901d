/** A message that shows an answer while it is written: sent once there is something to see, then changed in place. */
import { toAppError } from "../base/errors.ts";
import type { Logger } from "../base/log.ts";
import { background } from "../base/task.ts";
import { type Clock, pause } from "../base/time.ts";
import type { ChannelAccount } from "../channels/channel.ts";
import type { Address } from "../flow.ts";
import type { Store } from "../store/store.ts";
import { render } from "./format/render.ts";
import { type KeptPreview, PREVIEWS } from "./kept.ts";
import { textParts } from "./reply.ts";
import type { Target } from "./target.ts";

export type PreviewDeps = {
  store: Store;
  clock: Clock;
  log: Logger;
  signal: AbortSignal;
  account(to: Address): Pick<ChannelAccount, "send" | "edit" | "remove">;
  target: Target;
  redact(text: string): string;
  /** The chat's next message waits for this. */
  after(to: Address, work: Promise<unknown>): void;
  /** Whether a message would have to wait now; then there is no preview either. */
  blocked(to: Address): boolean;
  /** Least pause between two changes, in ms. */
  everyMs: number;
};

/** An answer that is done sooner needs no preview. In ms, from its first words. */
const FIRST_MS = 500;
const LONGEST_PAUSE_MS = 60_000;

export class Preview {
  private id: string | undefined;
  private shown = "";
  private source = (): string => "";
  private changed = false;
  private nextAt: number | undefined;
  private everyMs: number;
  private loop: Promise<void> | undefined;
  private readonly over = new AbortController();
  private sent = false;

  /** `kept`: an earlier attempt of the run may have left one. */
  constructor(
    private readonly runId: string,
    private readonly key: string,
    private readonly to: Address,
    private kept: boolean,
    private readonly deps: PreviewDeps,
  ) {
    this.everyMs = deps.everyMs;
  }

  /** There is, or may be, a message in the chat. */
  get begun(): boolean {
    return this.sent || this.kept;
  }

  /** What was last to be seen, as Markdown. */
  get text(): string {
    return this.source();
  }

  /** Shows what `source` gives then: soon, and not more often than the platform likes. Empty leaves what is there. Cheap. */
  show(source: () => string): void {
    if (this.over.signal.aborted) return;
    this.source = source;
    this.changed = true;
    this.nextAt ??= this.deps.clock.now() + FIRST_MS;
    if (this.loop) return;
    this.loop = this.run().finally(() => {
      this.loop = undefined;
    });
    background("preview", this.loop, this.deps.log);
  }

  /** Nothing is changed any more; a call that is under way holds back the chat's next message. */
  end(): void {
    this.over.abort();
  }

  /** Takes the message away: the run has nothing to say after all. */
  async remove(): Promise<void> {
    this.end();
    await this.loop;
    const { store, account, log } = this.deps;
    const id = this.id ?? (await store.kv.get<KeptPreview>(PREVIEWS, this.runId))?.id;
    if (id === undefined) return;
    try {
      await account(this.to).remove?.(this.to, id);
      await store.kv.delete(PREVIEWS, this.runId);
    } catch (cause) {
      log.warn("a preview could not be taken away", { error: toAppError(cause).message });
    }
  }

  private async run(): Promise<void> {
    const signal = AbortSignal.any([this.over.signal, this.deps.signal]);
    while (this.changed) {
      const waitMs = (this.nextAt ?? 0) - this.deps.clock.now();
      if (waitMs > 0 && !(await pause(this.deps.clock, waitMs, signal))) return;
      if (signal.aborted) return;
      this.changed = false;
      const text = this.source();
      if (!text || text === this.shown) continue;
      const step = this.step(text);
      this.deps.after(this.to, step);
      if (!(await step)) return;
    }
  }

  /** One call to the platform. False when there shall be no more. */
  private async step(text: string): Promise<boolean> {
    const { clock, log, blocked } = this.deps;
    this.nextAt = clock.now() + this.everyMs;
    try {
      if (!blocked(this.to)) await this.put(text);
      this.shown = text;
      this.nextAt = clock.now() + this.everyMs;
      return true;
    } catch (cause) {
      const error = toAppError(cause);
      log.debug("a preview was not taken", { code: error.code, error: error.message });
      // The platform is busy, so it is asked less often from now on.
      this.everyMs = Math.min(LONGEST_PAUSE_MS, this.everyMs * 2);
      this.nextAt = clock.now() + Math.max(this.everyMs, error.retryAfterMs ?? 0);
      this.changed = true;
      return error.code === "channel_unreachable";
    }
  }

  private async put(markdown: string): Promise<void> {
    const { store, target, redact, account } = this.deps;
    // What comes behind the first message is not shown before its time.
    const [part] = textParts(redact(markdown), target);
    if (part === undefined) return;
    const text = render(target.render, part, { tables: "off" });
    const plain = render("plain", part, { tables: "off" });
    if (this.kept) {
      this.id ??= (await store.kv.get<KeptPreview>(PREVIEWS, this.runId))?.id;
      this.kept = this.id !== undefined;
    }
    if (this.id !== undefined) return account(this.to).edit?.(this.to, this.id, { text, plain });
    this.sent = true;
    const { ids } = await account(this.to).send({
      to: this.to,
      text,
      plain,
      media: [],
      key: this.key,
    });
    const id = ids[0];
    if (id === undefined) return;
    this.id = id;
    await store.kv.set(PREVIEWS, this.runId, { to: this.to, id } satisfies KeptPreview);
  }
}

/** One run in its chat: the answer while it is written, as a preview or in blocks, and what is left to send at its end. */
import { toAppError } from "../base/errors.ts";
import { background } from "../base/task.ts";
import type { Message, ModelChoice, TurnEvent } from "../flow.ts";
import type { NewOutbox } from "../store/store.ts";
import type { Answer } from "./answer.ts";
import { blockEnd, Blocks } from "./blocks.ts";
import { failureText } from "./failure.ts";
import { prefixed, prefixOf, showable, withoutThoughts } from "./grammar.ts";
import { IN_PREVIEW } from "./kept.ts";
import { Preview } from "./preview.ts";
import { joined } from "./reply.ts";
import { type LiveDeps, type LiveSettings, messageId, type Run, type RunEnd } from "./run.ts";

export type LiveRunDeps = Pick<
  LiveDeps,
  "store" | "clock" | "log" | "delivery" | "account" | "redact"
> & {
  signal: AbortSignal;
  random(): number;
  /** Calls `work` after so many ms; gives what calls it off. */
  after(ms: number, work: () => void): () => void;
};

/** Between two changes of a preview, in ms. Groups have lower limits, and more people who see it flicker. */
const EVERY_MS = 1_000;
const EVERY_IN_GROUP_MS = 3_000;

export class LiveRun {
  /** What the model has said since its last message, as it came. */
  said = "";
  typed = false;
  private readonly preview: Preview | undefined;
  private readonly blocks: Blocks | undefined;
  private choice: ModelChoice | undefined;
  private blockCount = 0;
  private nextBlockAt = 0;
  /** Blocks that the store has not confirmed. */
  private readonly unconfirmed = new Set<NewOutbox>();
  /** Of a preview that moves by paragraphs: what it shows. */
  private drafted = 0;

  constructor(
    readonly run: Run,
    readonly settings: LiveSettings,
    private readonly deps: LiveRunDeps,
  ) {
    if (settings.blocks)
      this.blocks = new Blocks(settings.blocks, (text) => this.sendBlock(text), deps.after);
    else if (settings.stream !== "off") this.preview = this.openPreview();
  }

  observe(event: TurnEvent): void {
    if (event.type === "model") this.choice = event.choice;
    else if (event.type === "text") this.grow(event.delta);
    else if (event.type === "restart") this.forget();
    else if (event.type === "message" && event.message.role === "assistant")
      this.message(event.message);
  }

  /** No timer and no call is begun any more. */
  over(): void {
    this.preview?.end();
    this.blocks?.forget();
  }

  finalRows(end: RunEnd): NewOutbox[] {
    this.preview?.end();
    const rows = end.status === "ok" ? this.answer(end.text) : this.unanswered(end);
    if (!rows.length && this.preview?.begun)
      background("preview", this.preview.remove(), this.deps.log);
    // Their keys are those of the blocks, so one that has arrived in the store after all is not there twice.
    return [...this.unconfirmed, ...rows];
  }

  private answer(text: string): NewOutbox[] {
    if (!this.blocks) return this.rows({ text, prefix: this.prefix(), ...this.inPreview() });
    const told = this.told(text);
    const rest = this.blocks.rest(told);
    // The word for silence counts for the whole answer.
    if (rest !== told && !showable(`${told}\n`)) return [];
    return this.rows({ text: rest, ...(this.blockCount === 0 && { prefix: this.prefix() }) });
  }

  /** A failure is said, with what was to be read so far; whoever stopped it knows why. */
  private unanswered({ status, error }: RunEnd): NewOutbox[] {
    const sofar = this.preview?.begun ? this.preview.text : "";
    if (status === "error")
      return this.rows({ text: joined(sofar, failureText(error)), ...this.inPreview() });
    return sofar ? this.rows({ text: joined(sofar, "_Stopped._"), ...this.inPreview() }) : [];
  }

  private inPreview(): { edits?: string } {
    return this.preview?.begun ? { edits: IN_PREVIEW } : {};
  }

  private rows(answer: Pick<Answer, "text" | "prefix" | "edits">): NewOutbox[] {
    const { delivery } = this.deps;
    const { runId, reply, inbound } = this.run;
    const target = delivery.target(reply);
    const replied = this.blockCount > 0 && target?.replyToMode !== "all";
    return delivery.rowsFor({
      runId,
      to: reply,
      workspace: this.settings.workspace,
      ...(!replied && { current: reply.replyToId ?? messageId(inbound) }),
      ...answer,
    });
  }

  private prefix(): string {
    const { prefix, identity, thinking } = this.settings;
    const { model, provider } = this.choice ?? {};
    return prefixOf(prefix, { model, provider, identity, thinking });
  }

  private grow(delta: string): void {
    this.said += delta;
    this.preview?.show(() => this.shown());
    // Whole words only: what may be half a secret waits for its rest.
    this.blocks?.grow(this.said.length, () =>
      this.deps.redact(wholeWords(withoutThoughts(this.said))),
    );
  }

  private told(text: string): string {
    return this.deps.redact(withoutThoughts(text));
  }

  private shown(): string {
    const text = showable(this.said);
    if (this.settings.stream === "partial") return text && prefixed(this.prefix(), text);
    for (;;) {
      const end = blockEnd(text, this.drafted, this.settings.draft);
      if (end === undefined) break;
      this.drafted = end;
    }
    const part = text.slice(0, this.drafted).trimEnd();
    return part && prefixed(this.prefix(), part);
  }

  /** One that calls tools is not the last: its words belong to nobody's answer, so they are sent now or not at all. */
  private message(message: Message): void {
    const more = message.blocks.some(({ type }) => type === "tool_call");
    if (!more) return;
    this.blocks?.flush(this.told(textOf(message)));
    this.forget();
  }

  private forget(): void {
    this.said = "";
    this.drafted = 0;
    this.blocks?.forget();
  }

  private sendBlock(text: string): void {
    const { clock, store, delivery, log, random } = this.deps;
    const { runId, attempt } = this.run;
    const rows = this.rows({ text, ...(this.blockCount === 0 && { prefix: this.prefix() }) }).map(
      (row, i) => ({ ...row, key: `${runId}:${attempt}:b${this.blockCount}${i ? `#${i}` : ""}` }),
    );
    if (!rows.length) return;
    const { delay } = this.settings.blocks ?? {};
    const pauseMs =
      delay && this.blockCount ? delay.minMs + random() * (delay.maxMs - delay.minMs) : 0;
    this.nextBlockAt = Math.max(clock.now(), this.nextBlockAt) + Math.round(pauseMs);
    this.blockCount++;
    for (const row of rows) this.unconfirmed.add(row);
    const put = store.outbox.put(rows, this.nextBlockAt).then(
      () => {
        for (const row of rows) this.unconfirmed.delete(row);
        delivery.wake();
      },
      // They go with the rest at the end of the run.
      (cause: unknown) => log.warn("a block was not stored", { error: toAppError(cause).message }),
    );
    background("block", put, log);
  }

  private openPreview(): Preview | undefined {
    const { deps } = this;
    const { runId, attempt, reply, inbound } = this.run;
    const target = deps.delivery.target(reply);
    if (!target || target.transcript || !canEdit(deps, this.run)) return undefined;
    const { replyToId, ...place } = reply;
    const answers = target.replyToMode === "off" ? undefined : (replyToId ?? messageId(inbound));
    const to = { ...place, ...(answers !== undefined && { replyToId: answers }) };
    return new Preview(runId, `${runId}:${attempt}:preview`, to, attempt > 1, {
      ...deps,
      target,
      everyMs: inbound.chat === "dm" ? EVERY_MS : EVERY_IN_GROUP_MS,
      after: (at, work) => deps.delivery.after(at, work),
      blocked: (at) => deps.delivery.blocked(at),
    });
  }
}

function canEdit({ account }: LiveRunDeps, { reply }: Run): boolean {
  try {
    return account(reply).edit !== undefined;
  } catch (cause) {
    if (toAppError(cause).code === "channel_unreachable") return false;
    throw cause;
  }
}

const textOf = (message: Message): string =>
  message.blocks.flatMap((block) => (block.type === "text" ? [block.text] : [])).join("");

function wholeWords(text: string): string {
  let end = text.length;
  while (end > 0 && !/\s/.test(text[end - 1]!)) end--;
  return text.slice(0, end);
}

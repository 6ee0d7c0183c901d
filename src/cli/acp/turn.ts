/** One prompt from the message to the end of its run, over lost connections: the same key starts nothing twice. Used by bridge.ts. */
import { AppError } from "../../base/errors.ts";
import type { Methods } from "../../gateway/methods/index.ts";
import { type RpcClient, RpcError } from "../../protocol/client.ts";
import type { AgentEvent, ChatEvent, History, Message } from "../tui/talk/wire.ts";
import { Refusal } from "./json-rpc.ts";
import type { Attachment } from "./schema.ts";
import { RunUpdates, type Update } from "./updates.ts";

export type TurnPorts = {
  client: RpcClient<Methods>;
  /** Resolves while there is a connection, or when it is back. */
  connected(): Promise<void>;
  tell(update: Update): void;
  /** For people, on stderr. */
  note(text: string): void;
};

type Sending = NonNullable<Methods["chat.send"]["types"]>["params"];

/** Longest time of a run: a day and a minute, as the gateway has it; in ms. */
const MAX_RUN_MS = 86_460_000;
/** Messages that are looked through for what a lost connection swallowed. */
const PAGE = 500;

export class Turn {
  private readonly runId = crypto.randomUUID();
  /** By run: a message may be taken into a run that another client began. */
  private readonly runs = new Map<string, RunUpdates>();
  /** Its own run has begun, so that others are no answer to it. */
  private begun = false;
  private cancelled = false;
  private lost = false;
  /** From the event that ends a run. */
  private end: { state: string; errorMessage?: string | undefined } | undefined;

  constructor(
    private readonly ports: TurnPorts,
    private readonly key: string,
  ) {}

  /** @returns the protocol's reason why it stopped. Throws Refusal, RpcError, and `provider_rejected` for a run that failed. */
  async run(message: string, attachments: Attachment[]): Promise<string> {
    const params: Sending = {
      sessionKey: this.key,
      message,
      idempotencyKey: this.runId,
      ...(attachments.length > 0 && { attachments }),
    };
    this.checkSize(params);
    await this.persist(() => this.send(params));
    if (this.lost || !this.end || this.runs.size === 0) await this.persist(() => this.catchUp());
    if (this.cancelled || this.end?.state === "aborted") return "cancelled";
    if (this.end?.state !== "error") return "end_turn";
    throw new AppError("provider_rejected", this.end.errorMessage ?? "The run failed.");
  }

  /** Stops the run of this prompt; when it became part of another run, that one. */
  async cancel(): Promise<void> {
    this.cancelled = true;
    const { client } = this.ports;
    const { aborted } = await client.call("chat.abort", {
      sessionKey: this.key,
      runId: this.runId,
    });
    if (!aborted) await client.call("chat.abort", { sessionKey: this.key });
  }

  /** An event of this session. */
  event(kind: "agent" | "chat", runId: string, payload: AgentEvent & ChatEvent): void {
    const own = runId === this.runId;
    this.begun ||= own;
    if (this.begun && !own) return;
    if (kind === "agent") {
      for (const update of this.updatesOf(runId).take(payload)) this.ports.tell(update);
      return;
    }
    const { state, errorMessage } = payload;
    if (own && (state === "final" || state === "aborted" || state === "error"))
      this.end = { state, errorMessage };
  }

  private updatesOf(runId: string): RunUpdates {
    const known = this.runs.get(runId) ?? new RunUpdates();
    this.runs.set(runId, known);
    return known;
  }

  /** Does it until no connection was lost in the middle. */
  private async persist(work: () => Promise<void>): Promise<void> {
    for (;;)
      try {
        await this.ports.connected();
        return await work();
      } catch (cause) {
        if (!(cause instanceof RpcError) || !isLost(cause)) throw cause;
        this.ports.note(`lost in the middle of a prompt: ${cause.message}`);
        this.lost = true;
      }
  }

  /** Sends the message and waits for the end of its run. */
  private async send(params: Sending): Promise<void> {
    // Taken back before it was ever sent.
    if (this.cancelled && !this.lost) return;
    const { client } = this.ports;
    const sent = await client.call("chat.send", params);
    if (this.cancelled) await this.cancel();
    if (sent.runId === undefined || this.end) return;
    const { status, error } = await client.call(
      "agent.wait",
      { runId: sent.runId, timeoutMs: MAX_RUN_MS },
      { timeoutMs: 0 },
    );
    if (status === "error") this.end ??= { state: "error", errorMessage: error };
  }

  /** Tells what no event told: of a run that a lost connection hid, and of a slash command, which has no run. */
  private async catchUp(): Promise<void> {
    const { messages } = (await this.ports.client.call("chat.history", {
      sessionKey: this.key,
      limit: PAGE,
    })) as History;
    const mine = messages.filter(({ runId }) => runId === this.runId);
    for (const update of this.updatesOf(this.runId).missed(mine)) this.ports.tell(update);
    const failure = mine.findLast(({ level }) => level === "error");
    if (mine.some(({ code }) => code === "aborted")) this.cancelled = true;
    else if (failure) this.end ??= { state: "error", errorMessage: textOf(failure) };
  }

  private checkSize(params: Sending): void {
    const { state } = this.ports.client;
    const max = state.kind === "connected" ? state.hello.policy.maxPayload : Infinity;
    // The frame around it is small; 1 kB is more than it needs.
    if (Buffer.byteLength(JSON.stringify(params)) + 1024 > max)
      throw new Refusal("params", `The prompt is too large; the gateway takes ${max} bytes.`);
  }
}

const textOf = ({ content }: Message): string =>
  typeof content === "string" ? content : content.map(({ text }) => text ?? "").join("\n");

/** The connection ended under the call: that error alone has no details of the gateway. */
const isLost = ({ shape }: RpcError): boolean =>
  shape.retryable === true && shape.details === undefined;

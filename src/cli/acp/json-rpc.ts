/**
 * JSON-RPC 2.0, one message a line: what comes in is checked and answered, whatever it is. Knows nothing of agents; bridge.ts has the
 * methods. Nothing but protocol is ever written.
 */
import { z } from "zod";

import { toAppError } from "../../base/errors.ts";
import { RpcError } from "../../protocol/client.ts";

export const CODES = {
  parse: -32700,
  request: -32600,
  method: -32601,
  params: -32602,
  internal: -32603,
  /** Something that the request names is not there. */
  notFound: -32002,
} as const;

/** Longest line, in bytes: more than the gateway takes in one message. */
export const MAX_LINE = 26 * 1024 * 1024;

/** An answer that says no. */
export class Refusal extends Error {
  override readonly name = "Refusal";
  constructor(
    readonly kind: keyof typeof CODES,
    message: string,
    readonly data?: unknown,
  ) {
    super(message);
  }
}

const Id = z.union([z.string(), z.number(), z.null()]);
type Id = z.infer<typeof Id>;
const Incoming = z.looseObject({
  jsonrpc: z.literal("2.0"),
  id: Id.optional(),
  method: z.string().min(1),
  params: z.unknown().optional(),
});

export type Method<P extends z.ZodType = z.ZodType> = {
  params: P;
  /** Throws Refusal, AppError or RpcError. The result of a notification is nobody's. */
  run(params: z.output<P>): Promise<unknown>;
};
export const rpcMethod = <P extends z.ZodType>(params: P, run: Method<P>["run"]): Method<P> => ({
  params,
  run,
});

export type Peer = {
  /** Reads until the input ends. Requests run side by side. */
  serve(input: AsyncIterable<Uint8Array>): Promise<void>;
  notify(method: string, params: unknown): void;
};

export type PeerOptions = {
  methods: Readonly<Record<string, Method>>;
  write(line: string): void;
  /** For people, on stderr. */
  note(text: string): void;
};

export function openPeer({ methods, write, note }: PeerOptions): Peer {
  const send = (message: object) => write(`${JSON.stringify({ jsonrpc: "2.0", ...message })}\n`);
  const refuse = (id: Id, { kind, message, data }: Refusal) =>
    send({ id, error: { code: CODES[kind], message, ...(data === undefined ? {} : { data }) } });

  async function take(value: unknown): Promise<void> {
    const read = Incoming.safeParse(value);
    if (!read.success) {
      // An answer to a question that this program never asked.
      if (isAnswer(value)) return;
      const id = Id.safeParse((value as { id?: unknown } | null)?.id);
      return refuse(
        id.success ? id.data : null,
        new Refusal("request", "This is no JSON-RPC 2.0 request."),
      );
    }
    const { id, method: name, params } = read.data;
    const method = Object.hasOwn(methods, name) ? methods[name] : undefined;
    if (!method) {
      if (id === undefined) return note(`unknown notification ${name.slice(0, 100)}`);
      return refuse(id, new Refusal("method", `There is no method "${name.slice(0, 100)}".`));
    }
    try {
      const checked = method.params.safeParse(params ?? {});
      if (!checked.success)
        throw new Refusal("params", `Invalid params: ${z.prettifyError(checked.error)}`);
      const result = await method.run(checked.data);
      if (id !== undefined) send({ id, result: result ?? null });
    } catch (cause) {
      const refusal = refusalOf(cause);
      note(`${name}: ${refusal.message}`);
      if (id !== undefined) refuse(id, refusal);
    }
  }

  return {
    notify: (method, params) => send({ method, params }),
    async serve(input) {
      for await (const line of linesOf(input)) {
        if (line === TOO_LONG) {
          refuse(null, new Refusal("request", `A message has at most ${MAX_LINE} bytes.`));
          continue;
        }
        let value: unknown;
        try {
          value = JSON.parse(line);
        } catch (cause) {
          if (!(cause instanceof SyntaxError)) throw cause;
          refuse(null, new Refusal("parse", "This line is no JSON."));
          continue;
        }
        take(value).then(undefined, (cause: unknown) => note(String(cause)));
      }
    },
  };
}

const isAnswer = (value: unknown): boolean =>
  typeof value === "object" &&
  value !== null &&
  !("method" in value) &&
  ("result" in value || "error" in value);

function refusalOf(cause: unknown): Refusal {
  if (cause instanceof Refusal) return cause;
  if (cause instanceof RpcError)
    return new Refusal(cause.code === "not_found" ? "notFound" : "internal", cause.message, {
      code: cause.code,
      ...(cause.hint && { hint: cause.hint }),
    });
  const { code, message, hint } = toAppError(cause);
  return new Refusal("internal", message, { code, ...(hint && { hint }) });
}

const TOO_LONG = Symbol("a line that is too long");
const NEWLINE = 10;

/** The lines of a stream, empty ones left out. One that is too long is skipped to its end without being kept. */
export async function* linesOf(
  input: AsyncIterable<Uint8Array>,
  max = MAX_LINE,
): AsyncGenerator<string | typeof TOO_LONG> {
  let parts: Uint8Array[] = [];
  let size = 0;
  const line = (): string | typeof TOO_LONG => {
    const text = size > max ? TOO_LONG : Buffer.concat(parts).toString().trim();
    parts = [];
    size = 0;
    return text;
  };
  for await (const chunk of input) {
    let from = 0;
    for (let at = chunk.indexOf(NEWLINE); at >= 0; at = chunk.indexOf(NEWLINE, from)) {
      size += at - from;
      if (size <= max) parts.push(chunk.subarray(from, at));
      const whole = line();
      if (whole !== "") yield whole;
      from = at + 1;
    }
    size += chunk.length - from;
    if (size <= max) parts.push(chunk.subarray(from));
    else parts = [];
  }
  const last = line();
  if (last !== "") yield last;
}

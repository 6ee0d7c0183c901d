/**
 * An RPC method, defined once: the zod schemas give validation, types, documentation and the feature list of hello-ok.
 * A new method is one `method({})` in methods/<namespace>.ts.
 */
import { z } from "zod";

import { AppError, ERRORS, toAppError } from "../base/errors.ts";
import type { Logger } from "../base/log.ts";
import { jsonSchema, type SchemaNode } from "../base/schema.ts";
import type { SessionKey } from "../flow.ts";
import type {
  ErrorShape,
  Protocol,
  RequestFrame,
  ResponseFrame,
  Scope,
} from "../protocol/frames.ts";
import type { Devices } from "./access/devices.ts";
import type { StopReason } from "./events.ts";
import type { ConfigPort, GatewayPorts } from "./ports.ts";
import { describeIssues } from "./validation.ts";

/** The connection that calls, as far as a method may know it. */
export interface Caller {
  connId: string;
  protocol: Protocol;
  role: "operator" | "node";
  client: { id: string; mode: string; displayName?: string; instanceId?: string };
  hasScope(scope: Scope): boolean;
  /** This client writes the canonical key like this and wants to read it like this. */
  spell(canonical: SessionKey, spelled: string): void;
}

/** What methods may ask of the gateway itself. */
export interface GatewaySide {
  health(fresh: boolean): Promise<Record<string, unknown>>;
  presence(): unknown[];
  devices: Devices;
  /** Closes every connection of a device. */
  endDevice(deviceId: string): void;
  /** The run was started by a client that spells its session like this. */
  spellRun(runId: string, spelled: string): void;
  /** Call before stopping, so that the last event of each run can say why it ended. */
  runsStopping(key: SessionKey, reason: StopReason, runId?: string): void;
  /** Appends a message of the assistant without a run and shows it to everybody. Gives its id; undefined when there is no such session. */
  say(key: SessionKey, text: string): Promise<string | undefined>;
  /** A message that was answered at once, without a run: puts both into the session, and ends `runId` for those who watch. */
  answered(
    run: { key: SessionKey; agentId: string; runId: string },
    said: string,
    answer: string,
  ): Promise<void>;
  /** A link to the Control UI that signs in once. */
  signInLink(): string;
  now(): number;
}

export interface MethodContext extends GatewayPorts {
  config: ConfigPort;
  caller: Caller;
  gateway: GatewaySide;
  log: Logger;
  /** Sends a second answer under the same request id when `answer` settles; `agent` is the only method that has one. */
  answerLater(answer: Promise<LateAnswer>): void;
}

export type LateAnswer =
  { ok: true; payload: unknown } | { ok: false; payload: unknown; error: AppError };

export interface Method<P extends z.ZodType = z.ZodType, R extends z.ZodType = z.ZodType> {
  doc: string;
  scope: Scope;
  /** Where clients of protocol 4 need another scope. */
  newScope?: Scope;
  params: P;
  result: R;
  run(params: z.output<P>, ctx: MethodContext): Promise<z.input<R>>;
  /** Never set; carries the wire types to clients through a type-only import. */
  readonly types?: { params: z.input<P>; result: z.output<R> };
}

export const method = <P extends z.ZodType, R extends z.ZodType>(def: Method<P, R>): Method<P, R> =>
  def;

/** `run` is a method, so its parameters are compared loosely and a table of different methods needs no escape. */
export type MethodTable = Record<string, Method>;

/** Longest error text on the wire, in characters. */
const MAX_ERROR = 2_000;

/** Our code and hint travel in `details`; the wire code is one of the original's five, or FORBIDDEN for protocol 4. */
export function wireError(error: AppError, protocol: Protocol): ErrorShape {
  const code = error.code === "forbidden" && protocol === 4 ? "FORBIDDEN" : ERRORS[error.code].wire;
  const extra =
    typeof error.details === "object" && error.details !== null && !Array.isArray(error.details)
      ? error.details
      : error.details === undefined
        ? {}
        : { info: error.details };
  return {
    code,
    message: error.message.slice(0, MAX_ERROR),
    details: { code: error.code, ...(error.hint ? { hint: error.hint } : {}), ...extra },
    ...(code === "UNAVAILABLE" && error.code !== "internal" ? { retryable: true } : {}),
    ...(error.retryAfterMs === undefined ? {} : { retryAfterMs: Math.ceil(error.retryAfterMs) }),
  };
}

/** What an unexpected failure tells: enough to find it in the log, nothing of our inside. */
const hidden = (error: AppError, reference: string): AppError =>
  new AppError("internal", `Something went wrong inside the gateway (reference ${reference}).`, {
    cause: error,
  });

function missingScope(scope: Scope): AppError {
  return new AppError("forbidden", `missing scope: ${scope}`, {
    details: { code: "MISSING_SCOPE", missingScope: scope },
  });
}

/** The only try/catch of the request path: unknown method, role, scope, parse, run; every failure becomes an answer. */
export async function dispatch(
  table: MethodTable,
  frame: RequestFrame,
  ctx: MethodContext,
): Promise<ResponseFrame> {
  const { id } = frame;
  const { caller } = ctx;
  try {
    const m = Object.hasOwn(table, frame.method) ? table[frame.method] : undefined;
    if (caller.role === "node") throw new AppError("forbidden", "unauthorized role: node");
    const scope: Scope = m ? (caller.protocol === 4 && m.newScope) || m.scope : "operator.admin";
    if (!caller.hasScope(scope)) throw missingScope(scope);
    if (!m) throw new AppError("bad_request", `unknown method: ${frame.method.slice(0, 100)}`);
    const params = m.params.safeParse(frame.params ?? {}, { reportInput: true });
    if (!params.success)
      throw new AppError(
        "bad_request",
        `invalid ${frame.method} params: ${describeIssues(params.error)}`,
      );
    return { type: "res", id, ok: true, payload: await m.run(params.data, ctx) };
  } catch (cause) {
    const error = toAppError(cause);
    ctx.failed?.(error);
    if (error.code !== "internal")
      return { type: "res", id, ok: false, error: wireError(error, caller.protocol) };
    const reference = crypto.randomUUID().slice(0, 8);
    ctx.log.error("a method failed", {
      method: frame.method.slice(0, 100),
      reference,
      error: error.message,
      stack: error.stack,
    });
    return {
      type: "res",
      id,
      ok: false,
      error: wireError(hidden(error, reference), caller.protocol),
    };
  }
}

export type MethodInfo = {
  name: string;
  doc: string;
  scope: Scope;
  params: SchemaNode;
  result: SchemaNode;
};

/** hello-ok's feature list, the reference page and `gateway call --help` are read off the table. */
export const describe = (table: MethodTable): MethodInfo[] =>
  Object.entries(table).map(([name, m]) => ({
    name,
    doc: m.doc,
    scope: m.scope,
    params: jsonSchema(m.params),
    result: jsonSchema(m.result),
  }));

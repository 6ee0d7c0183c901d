/** The frames on the WebSocket. Objects are closed: the original's clients drop a frame that has a key more than these. */
import { z } from "zod";

export const PROTOCOLS = [3, 4] as const;
export type Protocol = (typeof PROTOCOLS)[number];

export const RequestFrame = z.object({
  type: z.literal("req"),
  id: z.string().min(1),
  method: z.string().min(1),
  params: z.unknown().optional(),
});
export type RequestFrame = z.infer<typeof RequestFrame>;

export type ErrorShape = {
  code: string;
  message: string;
  details?: unknown;
  retryable?: boolean;
  retryAfterMs?: number;
};
export type ResponseFrame = {
  type: "res";
  id: string;
  ok: boolean;
  payload?: unknown;
  error?: ErrorShape;
};
export type EventFrame = {
  type: "event";
  event: string;
  payload?: unknown;
  /** Contiguous per client; absent on events that go to one client only. */
  seq?: number;
  /** Both counters or none. */
  stateVersion?: { presence: number; health: number };
};
export type Frame = RequestFrame | ResponseFrame | EventFrame;

export type Scope =
  "operator.read" | "operator.write" | "operator.admin" | "operator.approvals" | "operator.pairing";

/** Largest frame that the server takes after the handshake, in bytes; the original's 512 KiB kills image sends. */
export const MAX_PAYLOAD = 25 * 1024 * 1024;
/** Largest frame before the handshake, in bytes. */
export const MAX_PAYLOAD_BEFORE_CONNECT = 64 * 1024;
/** A consumer with more than this waiting in its socket loses droppable events, and is closed by any other. */
export const MAX_BUFFERED = 1_572_864;
export const TICK_MS = 30_000;

/** Short messages at the foot of the page, and things that wait five seconds so that they can be undone. */
import { signal } from "@preact/signals";

import { RpcError } from "./connection.ts";
import { strings } from "./strings.ts";

export type Toast = {
  id: number;
  text: string;
  hint?: string;
  kind: "info" | "error";
  /** What "copy details" copies. */
  details?: string;
  undo?: () => void;
};

export const toasts = signal<Toast[]>([]);
/** What a screen reader is told, politely. */
export const announcement = signal("");

const UNDO_MS = 5000;
const INFO_MS = 4000;
const count = { next: 1 };

export function dismiss(id: number): void {
  toasts.value = toasts.value.filter((toast) => toast.id !== id);
}

export function toast(text: string, more: Partial<Omit<Toast, "id" | "text">> = {}): number {
  const id = count.next++;
  toasts.value = [...toasts.value.slice(-2), { id, text, kind: "info", ...more }];
  // An error stays until it is read; an undo until its time is over.
  if (more.kind !== "error" && !more.undo) setTimeout(() => dismiss(id), INFO_MS);
  return id;
}

/** Shows a failed call. Anything but an RpcError is a bug of ours and is thrown on. */
export function showError(cause: unknown): void {
  if (!(cause instanceof RpcError)) throw cause;
  const details = JSON.stringify(cause.shape, null, 2);
  toast(cause.message, { kind: "error", hint: cause.hint, details });
}

type Pending = { id: number; timer: ReturnType<typeof setTimeout>; about: string; commit(): void };
const pending = new Set<Pending>();

/** Does `commit` in five seconds, unless the person takes it back. `about` names what it touches, for `settle`. */
export function later(text: string, about: string, commit: () => void, undo: () => void): void {
  const end = () => {
    clearTimeout(entry.timer);
    pending.delete(entry);
    dismiss(entry.id);
  };
  const entry: Pending = {
    id: toast(text, {
      undo: () => {
        end();
        undo();
        announcement.value = strings.undone;
      },
    }),
    timer: setTimeout(() => entry.commit(), UNDO_MS),
    about,
    commit: () => {
      end();
      commit();
    },
  };
  pending.add(entry);
}

/** Does at once what still waits and touches this, because something is about to build on it. */
export function settle(about: string): void {
  for (const entry of [...pending]) if (entry.about === about) entry.commit();
}

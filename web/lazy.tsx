/** What comes after the first paint: the pages that are not the chat, and rarely needed dialogs. Fetched in the background. */
import { signal } from "@preact/signals";
import type { ComponentChildren } from "preact";
import { useEffect } from "preact/hooks";

import { onHello } from "./connection.ts";
import { strings } from "./strings.ts";

export type Later = typeof import("./later.ts");

const later = signal<Later | undefined>(undefined);
const failed = signal(false);
const fetching: { now?: Promise<void> } = {};

/** Fetches it once; again after a failure. */
export function loadLater(): Promise<void> {
  fetching.now ??= import("./later.ts").then(
    (parts) => {
      later.value = parts;
      failed.value = false;
    },
    (cause: unknown) => {
      fetching.now = undefined;
      // The network's own error: the gateway is away, or it is a newer one that has no such file any more.
      if (!(cause instanceof TypeError)) throw cause;
      failed.value = true;
    },
  );
  return fetching.now;
}

/** Fetches it when the page has nothing better to do, and after every reconnect if it failed. Called once. */
export function prepareLater(): void {
  onHello(() => {
    if (later.value) return;
    // Safari has no idle callback.
    if ("requestIdleCallback" in globalThis) requestIdleCallback(() => void loadLater());
    else setTimeout(() => void loadLater(), 200);
  });
}

/** Draws a part that comes later. `quiet`: shows nothing until it is here (a dialog). */
export function Lazy({
  children,
  quiet = false,
}: {
  children: (parts: Later) => ComponentChildren;
  quiet?: boolean;
}) {
  const parts = later.value;
  useEffect(() => {
    if (!later.value) void loadLater();
  }, []);
  if (parts) return <>{children(parts)}</>;
  if (quiet) return null;
  return (
    <section class="page-view" aria-busy={!failed.value}>
      {failed.value ? (
        <div class="empty" role="alert">
          <h1>{strings.partMissing}</h1>
          <p class="muted">{strings.partMissingText}</p>
          <button type="button" class="button" onClick={() => location.reload()}>
            {strings.reload}
          </button>
        </div>
      ) : (
        <p class="late muted">{strings.loading}</p>
      )}
    </section>
  );
}

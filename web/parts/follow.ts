/** Where the reader is: at the end the page follows the text, anywhere else it stays where it is. */
import { useSignal } from "@preact/signals";
import type { RefObject } from "preact";
import { useEffect, useLayoutEffect, useRef } from "preact/hooks";

import type { Thread } from "../thread.ts";

/** Nearer to the end than this counts as at the end, in px. */
const NEAR = 64;
/** What grows this soon after a click was opened by it, and must stay under the pointer, in ms. */
const HOLD_MS = 400;
/** Nearer to the beginning than this fetches the page before, in px. */
const EARLY = 800;

export function useFollow(
  scroller: RefObject<HTMLElement | null>,
  content: RefObject<HTMLElement | null>,
  thread: Thread,
) {
  const away = useSignal(false);
  /** Something came while the reader was away from the end. */
  const fresh = useSignal(false);

  const seen = useRef({ top: 0, heldUntil: 0 });

  const toEnd = () => {
    away.value = false;
    fresh.value = false;
    seen.current.heldUntil = 0;
    const box = scroller.current;
    if (!box) return;
    box.scrollTop = box.scrollHeight;
    seen.current.top = box.scrollTop;
  };
  const gapOf = (box: HTMLElement) => box.scrollHeight - box.scrollTop - box.clientHeight;
  const older = () => {
    const box = scroller.current;
    if (!box || thread.nextBefore.value === undefined || box.scrollTop > EARLY) return;
    // Browsers keep what is read in place when something grows above it, but not at the very top.
    if (box.scrollTop < 1) box.scrollTop = 1;
    void thread.older();
  };
  const onScroll = () => {
    const box = scroller.current;
    if (!box) return;
    const near = gapOf(box) <= NEAR;
    // Text that grows below makes a gap too; only going up is leaving.
    if (near) away.value = fresh.value = false;
    else if (box.scrollTop < seen.current.top - 1) away.value = true;
    seen.current.top = box.scrollTop;
    older();
  };

  useLayoutEffect(() => {
    toEnd();
    const box = content.current;
    if (!box) return;
    const watch = new ResizeObserver(() => {
      const held = performance.now() < seen.current.heldUntil;
      if (held && scroller.current) away.value = gapOf(scroller.current) > NEAR;
      else if (!away.value) toEnd();
      older();
    });
    watch.observe(box);
    return () => watch.disconnect();
  }, [thread]);

  const newest = thread.messages.value.at(-1);
  const parts = thread.live.value.reduce((sum, run) => sum + run.parts.length, 0);
  useEffect(() => {
    if (away.value) fresh.value = true;
  }, [newest, parts]);

  const hold = () => (seen.current.heldUntil = performance.now() + HOLD_MS);
  const leave = () => void (away.value = true);
  return { away, fresh, toEnd, onScroll, hold, leave };
}

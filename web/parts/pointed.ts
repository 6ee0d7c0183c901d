import { useEffect } from "preact/hooks";

import { connected } from "../connection.ts";
import type { Thread } from "../thread.ts";

function point(seq: number): void {
  const target = document.getElementById(`m${seq}`);
  target?.scrollIntoView({ block: "center" });
  target?.classList.add("pointed");
}

/** A message that the address names (`#m12`): fetched if it is far back, brought into view and marked for a moment. */
export function usePointed(thread: Thread, leaveEnd: () => void): void {
  const online = connected.value;
  useEffect(() => {
    const show = async () => {
      const seq = Number(/^#m(\d{1,9})$/.exec(location.hash)?.[1]);
      if (!seq || !online) return;
      leaveEnd();
      await thread.reach(seq);
      // Drawn in the frame after the fetch, so there is something to point at in the one after that.
      requestAnimationFrame(() => requestAnimationFrame(() => point(seq)));
    };
    const look = () => void show();
    look();
    addEventListener("hashchange", look);
    return () => removeEventListener("hashchange", look);
  }, [thread, online]);
}

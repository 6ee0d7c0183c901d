/** One quiet line that opens. What is open stays open when the row is drawn again from the transcript. */
import { signal } from "@preact/signals";
import type { ComponentChildren } from "preact";
import { useId } from "preact/hooks";

import { Icon } from "./icons.tsx";

const opened = signal<ReadonlySet<string>>(new Set());

export function Fold({
  id,
  class: kind,
  label,
  head,
  children,
}: {
  id: string;
  class: string;
  /** What a screen reader hears. */
  label: string;
  head: ComponentChildren;
  /** Drawn only while open. */
  children: () => ComponentChildren;
}) {
  const panel = useId();
  const open = opened.value.has(id);
  const toggle = () => {
    const next = new Set(opened.value);
    if (!next.delete(id)) next.add(id);
    opened.value = next;
  };
  return (
    <div class={`fold ${kind}`}>
      <button
        type="button"
        class="fold-head"
        aria-expanded={open}
        aria-controls={open ? panel : undefined}
        aria-label={label}
        onClick={toggle}
      >
        {head}
        <Icon name="right" />
      </button>
      {open && (
        <div class="fold-body" id={panel}>
          {children()}
        </div>
      )}
    </div>
  );
}

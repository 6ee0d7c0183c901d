/** A modal dialog: the browser's own, so focus is held inside and Esc closes it. */
import type { ComponentChildren } from "preact";
import { useId, useLayoutEffect, useRef } from "preact/hooks";

import { strings } from "../strings.ts";
import { IconButton } from "./icon-button.tsx";

export function Dialog({
  title,
  close,
  class: kind = "",
  bare = false,
  children,
}: {
  title: string;
  close: () => void;
  class?: string;
  /** Without a visible title and close button. */
  bare?: boolean;
  children: ComponentChildren;
}) {
  const ref = useRef<HTMLDialogElement>(null);
  const id = useId();
  // Before the next key is pressed: what is typed right after opening belongs into the dialog.
  useLayoutEffect(() => {
    const dialog = ref.current;
    if (!dialog) return;
    const back = document.activeElement;
    dialog.showModal();
    return () => {
      dialog.close();
      if (back instanceof HTMLElement) back.focus();
    };
  }, []);
  return (
    <dialog
      ref={ref}
      class={kind}
      aria-labelledby={bare ? undefined : id}
      aria-label={bare ? title : undefined}
      onCancel={(event) => {
        event.preventDefault();
        close();
      }}
      onClick={(event) => {
        if (event.target === ref.current) close();
      }}
    >
      <div class="dialog-body">
        {!bare && (
          <header class="dialog-head">
            <h2 id={id}>{title}</h2>
            <IconButton icon="cross" label={strings.close} onClick={close} />
          </header>
        )}
        {children}
      </div>
    </dialog>
  );
}

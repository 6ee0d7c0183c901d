import type { ComponentChildren } from "preact";

import { Dialog } from "../parts/dialog.tsx";
import { strings } from "../strings.ts";

/** Asks before something that cannot be undone; says what will be gone. */
export function Confirm({
  title,
  action,
  run,
  close,
  children,
}: {
  title: string;
  /** The word on the button. */
  action: string;
  run: () => void;
  close: () => void;
  children: ComponentChildren;
}) {
  return (
    <Dialog title={title} close={close}>
      <p>{children}</p>
      <div class="form-foot">
        <button type="button" class="button" autofocus onClick={close}>
          {strings.cancel}
        </button>
        <button
          type="button"
          class="button danger"
          onClick={() => {
            close();
            run();
          }}
        >
          {action}
        </button>
      </div>
    </Dialog>
  );
}

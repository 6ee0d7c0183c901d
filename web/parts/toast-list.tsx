import { strings } from "../strings.ts";
import { announcement, dismiss, toasts } from "../toasts.ts";
import { CopyButton } from "./copy.tsx";
import { IconButton } from "./icon-button.tsx";
import { Icon } from "./icons.tsx";

/** Short messages at the foot of the page, and the live region of everything that is announced. */
export function Toasts() {
  return (
    <>
      <div class="toasts" role="region" aria-label={strings.status} aria-live="polite">
        {toasts.value.map((item) => (
          <div key={item.id} class={`toast ${item.kind}`}>
            {item.kind === "error" && <Icon name="warn" />}
            <div class="toast-text" dir="auto">
              {item.text}
              {item.hint && <p>{item.hint}</p>}
            </div>
            {item.details && <CopyButton value={item.details} label={strings.copyDetails} />}
            {item.undo && (
              <button type="button" class="link" onClick={item.undo}>
                {strings.undo}
              </button>
            )}
            {!item.undo && (
              <IconButton icon="cross" label={strings.close} onClick={() => dismiss(item.id)} />
            )}
          </div>
        ))}
      </div>
      <div class="sr-only" aria-live="polite">
        {announcement.value}
      </div>
    </>
  );
}

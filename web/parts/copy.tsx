/** Copying to the clipboard, also on plain http to another machine, where browsers hide the clipboard interface. */
import { useState } from "preact/hooks";

import { strings } from "../strings.ts";
import { toast } from "../toasts.ts";
import { Icon, type IconName } from "./icons.tsx";

export async function copyText(text: string): Promise<boolean> {
  try {
    if (navigator.clipboard) {
      await navigator.clipboard.writeText(text);
      return true;
    }
  } catch (cause) {
    // Permission denied; the old way below may still be allowed.
    if (!(cause instanceof DOMException)) throw cause;
  }
  const area = document.createElement("textarea");
  const focused = document.activeElement;
  area.value = text;
  area.className = "sr-only";
  // A modal dialog makes everything outside of it inert, so the helper stands inside.
  (document.querySelector("dialog[open]") ?? document.body).append(area);
  area.select();
  const done = document.execCommand("copy");
  area.remove();
  if (focused instanceof HTMLElement) focused.focus();
  return done;
}

/** A quiet button that copies and says so. With `words` its name is written on it, otherwise only the icon. */
export function CopyButton({
  value,
  label,
  words,
  icon = "copy",
}: {
  value: string | (() => string);
  label: string;
  words?: boolean;
  icon?: IconName;
}) {
  const [done, setDone] = useState(false);
  const copy = async () => {
    const text = typeof value === "string" ? value : value();
    if (!(await copyText(text))) return void toast(strings.copyFailed, { kind: "error" });
    setDone(true);
    setTimeout(() => setDone(false), 1500);
  };
  const name = done ? strings.copied : label;
  return (
    <button
      type="button"
      class={words ? "quiet" : "quiet icon-only"}
      aria-label={words ? undefined : name}
      title={words ? undefined : name}
      onClick={() => void copy()}
    >
      <Icon name={done ? "check" : icon} />
      {words && <span>{name}</span>}
    </button>
  );
}

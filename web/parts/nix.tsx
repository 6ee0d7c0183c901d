/** Nix makes the config: said on every page in one line, with the way to change it (nix-help.tsx). No form for the config is offered then. */
import { nixHelpOpen, nixMode } from "../state.ts";
import { strings } from "../strings.ts";
import { Icon } from "./icons.tsx";

export function NixBar() {
  if (!nixMode.value) return null;
  return (
    <aside class="nix-bar" aria-label={strings.nixTitle}>
      <Icon name="info" />
      <p>{strings.nixBar}</p>
      <button type="button" class="link" onClick={() => (nixHelpOpen.value = true)}>
        {strings.nixHow}
      </button>
    </aside>
  );
}

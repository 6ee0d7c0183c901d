/** Nix makes the config: said on every page in one line, with the way to change it. No form for the config is offered then. */
import { nixHelpOpen, nixMode } from "../state.ts";
import { strings } from "../strings.ts";
import { Dialog } from "./dialog.tsx";
import { Icon } from "./icons.tsx";
import { CodeBlock } from "./markdown.tsx";

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

export function NixHelp() {
  if (!nixHelpOpen.value) return null;
  return (
    <Dialog title={strings.nixTitle} close={() => (nixHelpOpen.value = false)} class="help">
      <p>{strings.nixText}</p>
      <CodeBlock text={strings.nixConfig} lang="nix" />
      <p>{strings.nixApply}</p>
      <CodeBlock text={strings.nixApplyCommand} lang="sh" />
      <p>{strings.nixBackText}</p>
      <CodeBlock text={strings.nixBackCommand} lang="sh" />
    </Dialog>
  );
}

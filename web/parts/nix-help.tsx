/** How to change a config that Nix makes. */
import { nixHelpOpen } from "../state.ts";
import { strings } from "../strings.ts";
import { helpWords } from "../strings/help.ts";
import { Dialog } from "./dialog.tsx";
import { CodeBlock } from "./markdown.tsx";

export function NixHelp() {
  return (
    <Dialog title={strings.nixTitle} close={() => (nixHelpOpen.value = false)} class="help">
      <p>{helpWords.nixText}</p>
      <CodeBlock text={helpWords.nixConfig} lang="nix" />
      <p>{helpWords.nixApply}</p>
      <CodeBlock text={helpWords.nixApplyCommand} lang="sh" />
      <p>{helpWords.nixBackText}</p>
      <CodeBlock text={helpWords.nixBackCommand} lang="sh" />
    </Dialog>
  );
}

import { modelHelpOpen, nixMode } from "../state.ts";
import { strings } from "../strings.ts";
import { helpWords } from "../strings/help.ts";
import { Dialog } from "./dialog.tsx";
import { CodeBlock } from "./markdown.tsx";

/** How to get a real model, in three ways that each are enough. In Nix mode none of them is a command that would be refused. */
export function ModelHelp() {
  const nix = nixMode.value;
  return (
    <Dialog
      title={helpWords.addModelTitle}
      close={() => (modelHelpOpen.value = false)}
      class="help"
    >
      <p>{helpWords.addModelIntro}</p>
      <h3>{helpWords.addModelKey}</h3>
      <p>{nix ? helpWords.nixKeyText : helpWords.addModelKeyText}</p>
      <CodeBlock
        text={nix ? helpWords.nixKey : helpWords.addModelKeyCommand}
        lang={nix ? "nix" : "sh"}
      />
      <p class="muted">{nix ? helpWords.nixKeyNote : helpWords.addModelKeyNote}</p>
      <h3>{helpWords.addModelLocal}</h3>
      <p>{helpWords.addModelLocalText}</p>
      <CodeBlock text={helpWords.addModelLocalCommand} lang="sh" />
      <h3>{helpWords.addModelChoose}</h3>
      <p>{helpWords.addModelChooseText}</p>
      <CodeBlock
        text={nix ? helpWords.nixModel : helpWords.addModelChooseCommand}
        lang={nix ? "nix" : "sh"}
      />
      {nix ? (
        <>
          <p>{helpWords.nixApply}</p>
          <CodeBlock text={helpWords.nixApplyCommand} lang="sh" />
        </>
      ) : (
        <p class="muted">{strings.fromSource}</p>
      )}
    </Dialog>
  );
}

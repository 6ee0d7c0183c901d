import { modelHelpOpen, nixMode } from "../state.ts";
import { strings } from "../strings.ts";
import { Dialog } from "./dialog.tsx";
import { CodeBlock } from "./markdown.tsx";

/** How to get a real model, in three ways that each are enough. In Nix mode none of them is a command that would be refused. */
export function ModelHelp() {
  if (!modelHelpOpen.value) return null;
  const nix = nixMode.value;
  return (
    <Dialog title={strings.addModelTitle} close={() => (modelHelpOpen.value = false)} class="help">
      <p>{strings.addModelIntro}</p>
      <h3>{strings.addModelKey}</h3>
      <p>{nix ? strings.nixKeyText : strings.addModelKeyText}</p>
      <CodeBlock
        text={nix ? strings.nixKey : strings.addModelKeyCommand}
        lang={nix ? "nix" : "sh"}
      />
      <p class="muted">{nix ? strings.nixKeyNote : strings.addModelKeyNote}</p>
      <h3>{strings.addModelLocal}</h3>
      <p>{strings.addModelLocalText}</p>
      <CodeBlock text={strings.addModelLocalCommand} lang="sh" />
      <h3>{strings.addModelChoose}</h3>
      <p>{strings.addModelChooseText}</p>
      <CodeBlock
        text={nix ? strings.nixModel : strings.addModelChooseCommand}
        lang={nix ? "nix" : "sh"}
      />
      {nix ? (
        <>
          <p>{strings.nixApply}</p>
          <CodeBlock text={strings.nixApplyCommand} lang="sh" />
        </>
      ) : (
        <p class="muted">{strings.fromSource}</p>
      )}
    </Dialog>
  );
}

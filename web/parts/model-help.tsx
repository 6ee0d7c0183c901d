import { modelHelpOpen } from "../state.ts";
import { strings } from "../strings.ts";
import { Dialog } from "./dialog.tsx";
import { CodeBlock } from "./markdown.tsx";

/** How to get a real model, in three ways that each are enough. */
export function ModelHelp() {
  if (!modelHelpOpen.value) return null;
  return (
    <Dialog title={strings.addModelTitle} close={() => (modelHelpOpen.value = false)} class="help">
      <p>{strings.addModelIntro}</p>
      <h3>{strings.addModelKey}</h3>
      <p>{strings.addModelKeyText}</p>
      <CodeBlock text={strings.addModelKeyCommand} lang="sh" />
      <p class="muted">{strings.addModelKeyNote}</p>
      <h3>{strings.addModelLocal}</h3>
      <p>{strings.addModelLocalText}</p>
      <CodeBlock text={strings.addModelLocalCommand} lang="sh" />
      <h3>{strings.addModelChoose}</h3>
      <p>{strings.addModelChooseText}</p>
      <CodeBlock text={strings.addModelChooseCommand} lang="sh" />
      <p class="muted">{strings.fromSource}</p>
    </Dialog>
  );
}

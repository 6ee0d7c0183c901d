import { signal } from "@preact/signals";
import { useState } from "preact/hooks";

import { deleteSession, mainKey, renameSession, resetSession, sessionOf } from "../state.ts";
import { nameOfChannel, strings } from "../strings.ts";
import type { SessionItem } from "../wire.ts";
import { Dialog } from "./dialog.tsx";
import { IconButton } from "./icon-button.tsx";

/** The channel of signed-in clients. */
const HERE = "webchat";

/** The key of the conversation that is being renamed. */
export const renaming = signal<string | undefined>(undefined);

/** The network that a conversation is on; nothing for those of this page. */
export function Where({ item }: { item: SessionItem | undefined }) {
  const channel = item?.channel;
  if (!channel || channel === HERE) return null;
  return <small class="where">{nameOfChannel(channel)}</small>;
}

/** Rename, start again, delete; each takes effect without asking and can be undone for five seconds. */
export function SessionActions({ sessionKey, title }: { sessionKey: string; title: string }) {
  const action = (icon: "edit" | "fresh" | "bin", words: string, run: () => void) => (
    <IconButton icon={icon} label={`${words}: ${title}`} tip={words} onClick={run} />
  );
  return (
    <div class="actions">
      {action("edit", strings.rename, () => (renaming.value = sessionKey))}
      {action("fresh", strings.startAgain, () => resetSession(sessionKey))}
      {sessionKey !== mainKey.value &&
        action("bin", strings.remove, () => deleteSession(sessionKey))}
    </div>
  );
}

export function RenameDialog() {
  const key = renaming.value;
  return key === undefined ? null : <RenameForm key={key} sessionKey={key} />;
}

function RenameForm({ sessionKey }: { sessionKey: string }) {
  const [label, setLabel] = useState(sessionOf(sessionKey)?.label ?? "");
  const close = () => (renaming.value = undefined);
  return (
    <Dialog title={strings.renameTitle} close={close}>
      <form
        class="form"
        onSubmit={(event) => {
          event.preventDefault();
          void renameSession(sessionKey, label).then((done) => done && close());
        }}
      >
        <label>
          {strings.name}
          <input
            autofocus
            dir="auto"
            maxLength={64}
            value={label}
            onInput={(event) => setLabel(event.currentTarget.value)}
          />
          <small>{strings.nameHint}</small>
        </label>
        <div class="form-foot">
          <button type="button" class="button" onClick={close}>
            {strings.cancel}
          </button>
          <button type="submit" class="button primary">
            {strings.save}
          </button>
        </div>
      </form>
    </Dialog>
  );
}

/** A phone is linked by scanning a picture, or by typing a code into it. */
import { useSignal } from "@preact/signals";
import type { ComponentChildren } from "preact";
import { useEffect, useRef } from "preact/hooks";

import { CopyButton } from "../parts/copy.tsx";
import { Dialog } from "../parts/dialog.tsx";
import { Icon } from "../parts/icons.tsx";
import { strings } from "../strings.ts";
import { channelWords as words } from "../strings/channels.ts";
import { link, type Place, type Stage } from "./link.ts";
import { loadChannels } from "./store.ts";

export function LinkDialog({
  place,
  name,
  close,
}: {
  place: Place;
  name: string;
  close: () => void;
}) {
  const stage = useSignal<Stage>({ kind: "asking", text: words.preparing });
  /** The form for the number is open. */
  const asksNumber = useSignal(false);
  const going = useRef<AbortController | undefined>(undefined);
  const begin = (wish: { phone?: string } = {}) => {
    going.current?.abort();
    const now = (going.current = new AbortController());
    asksNumber.value = false;
    void link(place, wish, now.signal, (next) => {
      stage.value = next;
      if (next.kind === "linked") void loadChannels();
    });
  };
  useEffect(() => {
    begin();
    return () => {
      going.current?.abort();
      void loadChannels();
    };
  }, []);
  const over = stage.value.kind === "linked" || stage.value.kind === "failed";
  const byCode = asksNumber.value || stage.value.kind === "code";
  return (
    <Dialog title={words.linkTitle(name)} close={close} class="link-dialog">
      <div class="link-stage" role="status" aria-live="polite">
        {asksNumber.value ? (
          <NumberForm send={(phone) => begin({ phone })} />
        ) : (
          <StageView stage={stage.value} />
        )}
      </div>
      <div class="form-foot">
        {stage.value.kind === "failed" && !asksNumber.value && (
          <button type="button" class="button primary" onClick={() => begin()}>
            {words.startOver}
          </button>
        )}
        {!over && (
          <button
            type="button"
            class="button"
            onClick={() => (byCode ? begin() : (asksNumber.value = true))}
          >
            {byCode ? words.withPicture : words.withPhone}
          </button>
        )}
        {over && !asksNumber.value && (
          <button type="button" class="button" onClick={close}>
            {strings.close}
          </button>
        )}
      </div>
    </Dialog>
  );
}

function StageView({ stage }: { stage: Stage }) {
  switch (stage.kind) {
    case "asking":
      return (
        <p class="link-wait">
          <span class="working-dots" aria-hidden="true">
            <i />
            <i />
            <i />
          </span>
          {stage.text}
        </p>
      );
    case "picture":
      return (
        <>
          <Steps steps={words.linkSteps} />
          <img class="qr" src={stage.source} alt={words.qrAlt} />
          <p class="muted">{words.qrChanges}</p>
        </>
      );
    case "code":
      return (
        <>
          <Steps steps={words.codeSteps} />
          <p class="link-code">
            {/* Read out letter by letter. */}
            <strong aria-label={[...stage.code.replace("-", "")].join(" ")}>{stage.code}</strong>
            <CopyButton value={stage.code} label={words.copyCode} />
          </p>
        </>
      );
    case "linked":
      return (
        <End icon="check" class="done" title={words.linked}>
          {words.linkedText}
        </End>
      );
    case "failed":
      return (
        <End icon="warn" class="not-done" title={words.linkFailed}>
          {stage.text} {stage.hint}
        </End>
      );
  }
}

function End({
  icon,
  class: kind,
  title,
  children,
}: {
  icon: "check" | "warn";
  class: string;
  title: string;
  children: ComponentChildren;
}) {
  return (
    <div class={`link-end ${kind}`}>
      <Icon name={icon} />
      <h3>{title}</h3>
      <p>{children}</p>
    </div>
  );
}

const Steps = ({ steps }: { steps: readonly string[] }) => (
  <ol class="steps">
    {steps.map((step) => (
      <li key={step}>{step}</li>
    ))}
  </ol>
);

function NumberForm({ send }: { send: (phone: string) => void }) {
  const number = useSignal("");
  return (
    <form
      class="form"
      onSubmit={(event) => {
        event.preventDefault();
        const plain = number.value.replace(/[^\d+]/g, "");
        if (plain.length > 5) send(plain);
      }}
    >
      <label>
        {words.phone}
        <input
          autofocus
          type="tel"
          autocomplete="tel"
          dir="ltr"
          required
          pattern="[+]?[0-9 \(\)\-.]{6,24}"
          value={number.value}
          onInput={(event) => (number.value = event.currentTarget.value)}
        />
        <small>{words.phoneHint}</small>
      </label>
      <button type="submit" class="button primary">
        {words.getCode}
      </button>
    </form>
  );
}

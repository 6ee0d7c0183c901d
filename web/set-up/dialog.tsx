/** The set-up as a dialog: one question at a time. Closing it leaves the set-up where it is; it goes on when it is opened again. */
import { useSignal } from "@preact/signals";
import { useEffect, useId, useLayoutEffect, useRef } from "preact/hooks";

import { CopyButton } from "../parts/copy.tsx";
import { Dialog } from "../parts/dialog.tsx";
import { Icon } from "../parts/icons.tsx";
import { modelHelpOpen, setUpOpen } from "../state.ts";
import { strings } from "../strings.ts";
import { channelWords } from "../strings/channels.ts";
import { setUpWords as words } from "../strings/set-up.ts";
import { Told } from "../told.tsx";
import type { WizardStep } from "../wire.ts";
import { answer, begin, cancel, view } from "./run.ts";

export function SetUp() {
  useEffect(() => void begin(), []);
  const close = () => (setUpOpen.value = false);
  const { value: shown } = view;
  return (
    <Dialog title={words.title} close={close} class="set-up">
      <div class="set-up-stage" aria-live="polite">
        {shown.kind === "waiting" && <Working text={shown.text} />}
        {shown.kind === "step" && (
          <StepForm
            key={shown.step.id}
            step={shown.step}
            problem={shown.problem}
            busy={shown.busy}
          />
        )}
        {shown.kind === "over" && <Over how={shown.how} text={shown.text} close={close} />}
      </div>
      {shown.kind === "step" && (
        <footer class="set-up-foot">
          <button
            type="button"
            class="link"
            onClick={() => {
              close();
              modelHelpOpen.value = true;
            }}
          >
            {words.byHand}
          </button>
          <button type="button" class="link" onClick={() => void cancel()}>
            {words.cancel}
          </button>
        </footer>
      )}
    </Dialog>
  );
}

const Working = ({ text }: { text: string }) => (
  <p class="link-wait" role="status">
    <span class="working-dots" aria-hidden="true">
      <i />
      <i />
      <i />
    </span>
    {text}
  </p>
);

function Over({
  how,
  text,
  close,
}: {
  how: "done" | "cancelled" | "failed";
  text: string;
  close: () => void;
}) {
  const title = {
    done: words.doneTitle,
    cancelled: words.cancelledTitle,
    failed: words.failedTitle,
  }[how];
  return (
    <>
      <div class={`link-end ${how === "done" ? "done" : "not-done"}`}>
        <Icon name={how === "done" ? "check" : "warn"} />
        <h3>{title}</h3>
        <p>
          <Told text={text} />
        </p>
      </div>
      <div class="form-foot">
        {how !== "done" && (
          <button type="button" class="button primary" onClick={() => void begin()}>
            {words.again}
          </button>
        )}
        <button type="button" class="button" onClick={close}>
          {strings.close}
        </button>
      </div>
    </>
  );
}

type Shown = { step: WizardStep; problem?: string | undefined; busy: boolean };

/** The question is the title, or the message where there is no title. */
function StepForm({ step, problem, busy }: Shown) {
  const id = useId();
  const question = step.title ?? (step.type === "note" ? undefined : step.message);
  const about = step.title || step.type === "note" ? step.message : undefined;
  const value = useSignal<unknown>(step.initialValue ?? (step.type === "multiselect" ? [] : ""));
  const form = useRef<HTMLFormElement>(null);
  useLayoutEffect(() => {
    form.current?.querySelector<HTMLElement>("input:checked, input, .primary")?.focus();
  }, []);
  if (step.type === "progress") return <Progress step={step} />;
  const typed = step.type === "text";
  return (
    <form
      ref={form}
      class="form"
      onSubmit={(event) => {
        event.preventDefault();
        void answer(step.type === "note" ? undefined : value.value);
      }}
    >
      {question && <h3 id={id}>{question}</h3>}
      {about && (
        <p class="set-up-about">
          <Told text={about} />
        </p>
      )}
      {typed && (
        <label>
          <span class="sr-only">{question}</span>
          <input
            type={(step.sensitive ? "password" : "text") as "password"}
            autocomplete="off"
            autocapitalize="off"
            spellcheck={false}
            dir="ltr"
            placeholder={step.placeholder}
            value={String(value.value)}
            aria-invalid={problem !== undefined}
            aria-describedby={problem ? `${id}-problem` : undefined}
            onInput={(event) => (value.value = event.currentTarget.value)}
          />
        </label>
      )}
      {(step.type === "select" || step.type === "multiselect") && (
        <Options step={step} value={value.value} set={(next) => (value.value = next)} name={id} />
      )}
      {problem && (
        <p class="set-up-problem" role="alert" id={`${id}-problem`}>
          {problem}
        </p>
      )}
      <div class="form-foot">
        {step.type === "confirm" ? (
          <>
            <button type="button" class="button" disabled={busy} onClick={() => void answer(false)}>
              {words.no}
            </button>
            <button
              type="button"
              class="button primary"
              disabled={busy}
              onClick={() => void answer(true)}
            >
              {words.yes}
            </button>
          </>
        ) : (
          <button type="submit" class="button primary" disabled={busy}>
            {typed && step.sensitive && !value.value ? words.leaveEmpty : words.go}
          </button>
        )}
      </div>
    </form>
  );
}

function Options({
  step,
  value,
  set,
  name,
}: {
  step: WizardStep;
  value: unknown;
  set: (value: unknown) => void;
  name: string;
}) {
  const many = step.type === "multiselect";
  const chosen = Array.isArray(value) ? (value as unknown[]) : [value];
  return (
    <div class="set-up-options" role={many ? "group" : "radiogroup"} aria-labelledby={name}>
      {step.options?.map((option) => (
        <label key={option.value} class="set-up-option">
          <input
            type={many ? "checkbox" : "radio"}
            name={name}
            checked={chosen.includes(option.value)}
            onChange={(event) => {
              if (!many) return set(option.value);
              const rest = chosen.filter((each) => each !== option.value);
              set(event.currentTarget.checked ? [...rest, option.value] : rest);
            }}
          />
          <span>
            {option.label}
            {option.hint && <small>{option.hint}</small>}
          </span>
        </label>
      ))}
    </div>
  );
}

function Progress({ step }: { step: WizardStep }) {
  // Nothing but a picture that came with the answer is ever shown as one.
  const picture = step.qrDataUrl?.startsWith("data:image/png;base64,") ? step.qrDataUrl : undefined;
  if (!picture && !step.code) return <Working text={step.message ?? words.preparing} />;
  return (
    <>
      <p>{step.message}</p>
      {picture && <img class="qr" src={picture} alt={words.qrAlt} />}
      {step.code && (
        <p class="link-code">
          <strong aria-label={[...step.code].join(" ")}>{step.code}</strong>
          <CopyButton value={step.code} label={channelWords.copyCode} />
        </p>
      )}
    </>
  );
}

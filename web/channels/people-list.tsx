/** Strangers who wait for approval, and those who were let in. */
import { signal, useSignal } from "@preact/signals";
import { useEffect } from "preact/hooks";

import { call, connected } from "../connection.ts";
import { Failed } from "../failed.tsx";
import { personOf, plainName } from "../names.ts";
import { useNow } from "../parts/status.tsx";
import { allowed, loadPeople, peopleState, waiting } from "../people.ts";
import { ago, fullTime } from "../strings.ts";
import { channelWords as words } from "../strings/channels.ts";
import { later, settle, showError, toast } from "../toasts.ts";
import type { AllowedItem, PairingItem } from "../wire.ts";
import { DEFAULT_ACCOUNT } from "./account.ts";
import { Confirm } from "./confirm.tsx";

type Labels = Record<string, string>;

/** Codes that are dismissed on screen; the call still waits for the undo to run out. */
const gone = signal<ReadonlySet<string>>(new Set());

function hide(code: string, hidden: boolean): void {
  const next = new Set(gone.value);
  if (hidden) next.add(code);
  else next.delete(code);
  gone.value = next;
}

/** Stands above everything else while somebody waits. */
export function WaitingPeople({ labels }: { labels: Labels }) {
  const shown = waiting.value.filter(({ code }) => !gone.value.has(code));
  const now = useNow(shown.length > 0);
  if (!shown.length) return null;
  return (
    <section class="people first" aria-labelledby="waiting-title">
      <h2 id="waiting-title">{words.waitingTitle}</h2>
      <ul class="person-list" aria-label={words.waitingTitle}>
        {shown.map((item) => (
          <Waiting key={item.code} item={item} labels={labels} now={now} />
        ))}
      </ul>
      <p class="muted small">{words.nameWarning}</p>
    </section>
  );
}

export function AllowedPeople({ labels }: { labels: Labels }) {
  const now = useNow(true);
  useEffect(() => void loadPeople(), []);
  const state = peopleState.value;
  return (
    <section class="people" aria-labelledby="people-title">
      <h2 id="people-title">{words.allowedTitle}</h2>
      {state && state !== "known" && (
        <Failed title={words.peopleFailed} error={state} again={() => void loadPeople()} />
      )}
      {allowed.value.length > 0 && (
        <ul class="person-list" aria-label={words.allowedTitle}>
          {allowed.value.map((item) => (
            <Allowed
              key={`${item.channel}/${item.accountId}/${item.id}`}
              item={item}
              labels={labels}
              now={now}
            />
          ))}
        </ul>
      )}
      {state === "known" && (
        <p class="muted">
          {!allowed.value.length && `${words.nobodyAllowed} `}
          {!waiting.value.length && `${words.nobodyWaits} `}
          {words.allowedText}
        </p>
      )}
    </section>
  );
}

const placeOf = (labels: Labels, { channel, accountId }: { channel: string; accountId: string }) =>
  (labels[channel] ?? channel) +
  (accountId === DEFAULT_ACCOUNT ? "" : ` · ${plainName(accountId)}`);

const When = ({ at, now, text }: { at: number; now: number; text: (when: string) => string }) => (
  <time dateTime={new Date(at).toISOString()} title={fullTime(at)}>
    {text(ago(at, now))}
  </time>
);

function Waiting({ item, labels, now }: { item: PairingItem; labels: Labels; now: number }) {
  const { code, channel } = item;
  const busy = useSignal(false);
  const { name, handle } = personOf(item.meta);
  const who = name || plainName(item.id);
  const approve = async () => {
    busy.value = true;
    settle(code);
    try {
      await call("pairing.approve", { code, channel, notify: true });
      toast(words.approved(who));
    } catch (cause) {
      showError(cause);
    }
    busy.value = false;
    await loadPeople();
  };
  const dismiss = () => {
    hide(code, true);
    const forget = async () => {
      try {
        await call("pairing.dismiss", { code });
      } catch (cause) {
        showError(cause);
      }
      await loadPeople();
      hide(code, false);
    };
    const back = () => hide(code, false);
    later(words.dismissed(who), code, () => void forget(), back);
  };
  return (
    <li>
      <div class="person">
        <strong>{name ? <bdi>{name}</bdi> : <em>{words.nameless}</em>}</strong>
        <span class="muted">
          {placeOf(labels, item)}
          {handle && handle !== `@${name}` && (
            <>
              {" · "}
              <bdi>{handle}</bdi>
            </>
          )}
          {" · "}
          <code dir="ltr">{plainName(item.id)}</code>
        </span>
        <span class="muted">
          <When at={item.createdAt} now={now} text={words.asked} />
          {" · "}
          {words.code} <code dir="ltr">{plainName(code)}</code>
        </span>
      </div>
      <div class="person-actions">
        <button
          type="button"
          class="button primary"
          disabled={busy.value || !connected.value}
          aria-label={`${words.approve}: ${who}`}
          onClick={() => void approve()}
        >
          {words.approve}
        </button>
        <button
          type="button"
          class="button"
          disabled={busy.value || !connected.value}
          aria-label={`${words.dismiss}: ${who}`}
          onClick={dismiss}
        >
          {words.dismiss}
        </button>
      </div>
    </li>
  );
}

function Allowed({ item, labels, now }: { item: AllowedItem; labels: Labels; now: number }) {
  const asking = useSignal(false);
  const { channel, accountId, id } = item;
  const who = `${plainName(id)} (${placeOf(labels, item)})`;
  const revoke = async () => {
    try {
      await call("pairing.revoke", { channel, accountId, id });
      toast(words.removed(who));
    } catch (cause) {
      showError(cause);
    }
    await loadPeople();
  };
  return (
    <li>
      <div class="person">
        <strong>
          <code dir="ltr">{plainName(id)}</code>
        </strong>
        <span class="muted">
          {placeOf(labels, item)}
          {" · "}
          <When at={item.addedAt} now={now} text={words.letIn} />
        </span>
      </div>
      <div class="person-actions">
        <button
          type="button"
          class="button"
          disabled={!connected.value}
          aria-label={`${words.remove}: ${who}`}
          onClick={() => (asking.value = true)}
        >
          {words.remove}
        </button>
      </div>
      {asking.value && (
        <Confirm
          title={words.removeTitle(who)}
          action={words.remove}
          run={() => void revoke()}
          close={() => (asking.value = false)}
        >
          {words.removeText}
        </Confirm>
      )}
    </li>
  );
}

/** One account of a network: how it is, from evidence, and what can be done about it. */
import { useSignal } from "@preact/signals";

import { call, connected } from "../connection.ts";
import { plainName } from "../names.ts";
import { Fact } from "../parts/fact.tsx";
import { Icon } from "../parts/icons.tsx";
import { CodeBlock } from "../parts/markdown.tsx";
import { ago, duration, fullTime } from "../strings.ts";
import { channelWords as words } from "../strings/channels.ts";
import { showError, toast } from "../toasts.ts";
import { Told } from "../told.tsx";
import type { AccountItem, ChannelWarning } from "../wire.ts";
import { type AccountState, type Card, stateOf } from "./account.ts";
import { Confirm } from "./confirm.tsx";
import { LinkDialog } from "./link-dialog.tsx";
import { NetworkSign } from "./network-sign.tsx";
import { accountKey, loadChannels, probes } from "./store.ts";

/** `now` by the gateway's clock. */
export function AccountCard({ card, now }: { card: Card; now: number }) {
  const { channel, title, image, account, warnings } = card;
  const linking = useSignal(false);
  const leaving = useSignal(false);
  const state = stateOf(channel, account, now);
  const place = { channel, accountId: account.accountId };
  const logOut = async () => {
    try {
      const { cleared } = await call("channels.logout", place, { timeoutMs: 60_000 });
      toast(cleared ? words.loggedOut(title) : words.wasNotLinked(title));
    } catch (cause) {
      showError(cause);
    }
    await loadChannels();
  };
  return (
    <section class="card channel" aria-label={title}>
      <header>
        <NetworkSign image={image} />
        <div>
          <h2 dir="auto">{title}</h2>
          <p class="status">
            <span class={`dot ${state.tone}`} />
            <span dir="auto">{state.word}</span>
          </p>
        </div>
      </header>
      <Problems state={state} warnings={warnings} />
      <Facts account={account} channel={channel} now={now} said={state.text} />
      <div class="card-foot">
        {account.linked === false && (
          <button
            type="button"
            class="button primary"
            disabled={!connected.value}
            aria-label={`${words.link}: ${title}`}
            onClick={() => (linking.value = true)}
          >
            {words.link}
          </button>
        )}
        {account.running && <ProbeButton card={card} />}
        {account.linked && (
          <button
            type="button"
            class="button"
            disabled={!connected.value}
            aria-label={`${words.logOut}: ${title}`}
            onClick={() => (leaving.value = true)}
          >
            {words.logOut}
          </button>
        )}
      </div>
      {linking.value && (
        <LinkDialog place={place} name={title} close={() => (linking.value = false)} />
      )}
      {leaving.value && (
        <Confirm
          title={words.logOutTitle(title)}
          action={words.logOut}
          run={() => void logOut()}
          close={() => (leaving.value = false)}
        >
          {words.logOutText}
        </Confirm>
      )}
    </section>
  );
}

/** What the state says beyond its word, then what the gateway warns of that is not the same. */
function Problems({ state, warnings }: { state: AccountState; warnings: ChannelWarning[] }) {
  const said = state.text ?? "";
  const own = warnings.find(({ message, kind }) => said && sameMatter(message, said, kind));
  const rest = warnings.filter((warning) => warning !== own);
  return (
    <>
      {said && <Problem text={said} fix={own?.fix} calm={state.tone === "off"} />}
      {rest.map(({ message, fix, kind }) => (
        <Problem key={message} text={plainName(message, 400)} fix={fix} calm={kind === "privacy"} />
      ))}
    </>
  );
}

/** The gateway's warning of the state that the card shows already. */
const sameMatter = (message: string, said: string, kind: string | undefined): boolean =>
  message.includes(said) || (kind !== "privacy" && kind !== "permissions");

function Problem({ text, fix, calm }: { text: string; fix?: string; calm?: boolean }) {
  return (
    <div class={calm ? "problem calm" : "problem"} role="group" aria-label={text}>
      <Icon name={calm ? "info" : "warn"} />
      <div>
        <p dir="auto">
          <Told text={text} />
        </p>
        {fix && <CodeBlock text={fix} lang={words.fix} />}
      </div>
    </div>
  );
}

function Facts({
  account,
  channel,
  now,
  said,
}: {
  account: AccountItem;
  channel: string;
  now: number;
  /** What the card says of its state already. */
  said: string | undefined;
}) {
  const { roundTripMs, reconnectAttempts, lastDisconnect, dmPolicy } = account;
  // Nothing has happened yet on an account that was never started.
  const idle = account.enabled === false || account.configured === false;
  if (idle) return null;
  const probed = probes.value.get(accountKey(channel, account));
  const trip = probed?.ok ? probed.elapsedMs : roundTripMs;
  return (
    <dl>
      <Fact name={words.lastEvent}>
        <When at={account.lastEventAt} now={now} />
      </Fact>
      <Fact name={words.lastInbound}>
        <When at={account.lastInboundAt} now={now} />
      </Fact>
      <Fact name={words.lastOutbound}>
        <When at={account.lastOutboundAt} now={now} />
      </Fact>
      <Fact name={words.roundTrip}>
        {typeof trip === "number" ? duration(trip) : words.notMeasured}
      </Fact>
      <Fact name={words.reconnects}>{reconnectAttempts || undefined}</Fact>
      <Fact name={words.lastDisconnect}>
        {lastDisconnect && (
          <>
            <When at={lastDisconnect.at} now={now} />
            {lastDisconnect.error && plainName(lastDisconnect.error, 400) !== said && (
              <small class="muted" dir="auto">
                {plainName(lastDisconnect.error, 200)}
              </small>
            )}
          </>
        )}
      </Fact>
      <Fact name={words.strangers}>{dmPolicy && words.policies[dmPolicy]}</Fact>
    </dl>
  );
}

const When = ({ at, now }: { at: number | null | undefined; now: number }) =>
  typeof at === "number" ? (
    <time dateTime={new Date(at).toISOString()} title={fullTime(at)}>
      {ago(at, now)}
    </time>
  ) : (
    <span class="muted">{words.never}</span>
  );

function ProbeButton({ card: { channel, account, title } }: { card: Card }) {
  const busy = useSignal(false);
  const probe = async () => {
    busy.value = true;
    const answered = await loadChannels(true);
    busy.value = false;
    if (!answered) return;
    const result = probes.value.get(accountKey(channel, account));
    if (!result) toast(words.probeNone(title), { kind: "error" });
    else if (result.ok) toast(words.probeGood(title, duration(result.elapsedMs ?? 0)));
    else
      toast(words.probeBad(title, plainName(result.detail, 400)), {
        kind: "error",
        details: JSON.stringify(result, null, 2),
      });
  };
  return (
    <button
      type="button"
      class="button"
      disabled={busy.value || !connected.value}
      aria-label={`${words.probe}: ${title}`}
      onClick={() => void probe()}
    >
      {busy.value ? words.probing : words.probe}
    </button>
  );
}

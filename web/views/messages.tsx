/** Why did I get no answer? Every message that arrived, and what became of it. */
import { useSignal } from "@preact/signals";
import { useEffect } from "preact/hooks";

import { connected } from "../connection.ts";
import { Failed } from "../failed.tsx";
import { addressOf, firstWords, keyOf, senderOf, sentenceOf, toneOf } from "../messages/steps.ts";
import {
  filter,
  loadMessages,
  loadOlder,
  nextBefore,
  rows,
  rowsError,
  setFilter,
} from "../messages/store.ts";
import { MessageStory } from "../messages/story.tsx";
import { Icon } from "../parts/icons.tsx";
import { RouteLink } from "../parts/link.tsx";
import { useNow } from "../parts/status.tsx";
import { go, type Route } from "../router.ts";
import { ago, fullTime, nameOfChannel, strings } from "../strings.ts";
import { messageWords as words } from "../strings/messages.ts";
import type { TraceItem } from "../wire.ts";

/** How often the newest are asked for while this page is seen, in ms. */
const POLL_MS = 5_000;

export default function Messages({ at }: { at: Extract<Route, { page: "messages" }> }) {
  return at.id === undefined ? <List /> : <MessageStory key={at.id} id={at.id} />;
}

function List() {
  const now = useNow(true);
  const online = connected.value;
  useEffect(() => {
    document.title = `${words.title} · ${strings.product}`;
  }, []);
  useEffect(() => {
    if (!online) return;
    void loadMessages();
    const timer = setInterval(() => {
      if (!document.hidden) void loadMessages();
    }, POLL_MS);
    return () => clearInterval(timer);
  }, [online]);
  const failed = rowsError.value;
  const shown = rows.value;
  return (
    <section class="page-view" aria-labelledby="title">
      <header class="page-head">
        <h1 id="title">{words.title}</h1>
        <p class="muted">{words.intro}</p>
      </header>
      <Find />
      <Filters />
      {failed && (
        <Failed title={words.loadFailed} error={failed} again={() => void loadMessages()} />
      )}
      {shown ? (
        shown.length ? (
          <ul class="message-list" aria-label={words.title}>
            {shown.map((row) => (
              <MessageRow key={keyOf(row)} row={row} now={now} />
            ))}
          </ul>
        ) : (
          <Nothing />
        )
      ) : (
        !failed && <p class="muted late">{strings.loading}</p>
      )}
      {nextBefore.value !== undefined && (
        <button type="button" class="button" disabled={!online} onClick={() => void loadOlder()}>
          {strings.loadMore}
        </button>
      )}
    </section>
  );
}

function Find() {
  const id = useSignal("");
  return (
    <form
      class="search find"
      role="search"
      onSubmit={(event) => {
        event.preventDefault();
        const wanted = id.value.trim();
        if (wanted) go({ page: "messages", id: wanted });
      }}
    >
      <Icon name="search" />
      <input
        type="search"
        dir="ltr"
        maxLength={512}
        spellcheck={false}
        autocapitalize="off"
        aria-label={words.find}
        placeholder={words.findHint}
        value={id.value}
        onInput={(event) => (id.value = event.currentTarget.value)}
      />
      <button type="submit" class="button">
        {words.findButton}
      </button>
    </form>
  );
}

function Filters() {
  const { channel, unanswered } = filter.value;
  return (
    <div class="filters" role="group" aria-label={words.filters}>
      <select
        aria-label={words.channel}
        value={channel ?? ""}
        onChange={(event) => setFilter({ channel: event.currentTarget.value || undefined })}
      >
        <option value="">{words.allChannels}</option>
        {Object.entries(strings.channelNames).map(([id, name]) => (
          <option key={id} value={id}>
            {name}
          </option>
        ))}
      </select>
      <label class="check">
        <input
          type="checkbox"
          checked={unanswered}
          onChange={(event) => setFilter({ unanswered: event.currentTarget.checked })}
        />
        {words.onlyUnanswered}
      </label>
    </div>
  );
}

function Nothing() {
  const { channel, unanswered } = filter.value;
  const text =
    channel && unanswered
      ? words.noneMatches
      : channel
        ? words.noneOfChannel
        : unanswered
          ? words.noneUnanswered
          : words.none;
  return (
    <div class="empty">
      <h2>{text}</h2>
      {!channel && !unanswered && <p class="muted">{words.noneText}</p>}
    </div>
  );
}

function MessageRow({ row, now }: { row: TraceItem; now: number }) {
  return (
    <li>
      <RouteLink to={{ page: "messages", id: addressOf(row) }} class="message-row">
        <time dateTime={new Date(row.acceptedAt).toISOString()} title={fullTime(row.acceptedAt)}>
          {ago(row.acceptedAt, now)}
        </time>
        <span class="message-place">{nameOfChannel(row.channel)}</span>
        <bdi class="message-sender">{senderOf(row)}</bdi>
        <span class="message-words" dir="auto">
          {firstWords(row)}
        </span>
        <span class={`message-end ${toneOf(row)}`}>
          <span class={`dot ${toneOf(row)}`} aria-hidden="true" />
          <span>{sentenceOf(row)}</span>
        </span>
      </RouteLink>
    </li>
  );
}

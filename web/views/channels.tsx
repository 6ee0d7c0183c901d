/** Where people can talk to the assistant, how each place is, and who may. */
import { useEffect } from "preact/hooks";

import { AccountCard } from "../channels/account-card.tsx";
import { cardsOf } from "../channels/account.ts";
import { AllowedPeople, WaitingPeople } from "../channels/people-list.tsx";
import { AddChannels } from "../channels/setup.tsx";
import { loadChannels, status, statusError } from "../channels/store.ts";
import { connected } from "../connection.ts";
import { Failed } from "../failed.tsx";
import { useNow } from "../parts/status.tsx";
import { strings } from "../strings.ts";
import { channelWords as words } from "../strings/channels.ts";

/** How often the gateway is asked while this page is seen, in ms; it asks nobody else for that. */
const POLL_MS = 5_000;

export default function Channels() {
  const now = useNow(true);
  const online = connected.value;
  useEffect(() => {
    document.title = `${words.title} · ${strings.product}`;
  }, []);
  useEffect(() => {
    if (!online) return;
    void loadChannels();
    const timer = setInterval(() => {
      if (!document.hidden) void loadChannels();
    }, POLL_MS);
    return () => clearInterval(timer);
  }, [online]);
  const known = status.value;
  const failed = statusError.value;
  const { cards, missing } = known ? cardsOf(known.answer) : { cards: [], missing: [] };
  const labels = known?.answer.channelLabels ?? strings.channelNames;
  return (
    <section class="page-view" aria-labelledby="title">
      <header class="page-head">
        <h1 id="title">{words.title}</h1>
      </header>
      <WaitingPeople labels={labels} />
      {failed && (
        <Failed title={words.loadFailed} error={failed} again={() => void loadChannels()} />
      )}
      {known && !online && (
        <p class="problem calm" role="status">
          {words.lostTouch}
        </p>
      )}
      {known ? (
        <>
          <div class="cards">
            {cards.map((card) => (
              <AccountCard
                key={`${card.channel}/${card.account.accountId}`}
                card={card}
                now={known.answer.ts + Math.max(0, now - known.at)}
              />
            ))}
          </div>
          <AddChannels networks={missing} first={cards.length === 0} />
        </>
      ) : (
        !failed && <p class="muted late">{strings.loading}</p>
      )}
      <AllowedPeople labels={labels} />
    </section>
  );
}

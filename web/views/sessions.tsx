/** All conversations, newest first. */
import { useEffect } from "preact/hooks";

import { Icon } from "../parts/icons.tsx";
import { RouteLink } from "../parts/link.tsx";
import { SessionActions, Where } from "../parts/session-actions.tsx";
import { useNow } from "../parts/status.tsx";
import { withoutMarks } from "../rows.ts";
import {
  loadMoreSessions,
  loadSessions,
  moreSessions,
  sessionSearch,
  sessionsLoaded,
  titleOf,
  visibleSessions,
} from "../state.ts";
import { ago, fullTime, strings } from "../strings.ts";

export default function Sessions() {
  useEffect(() => {
    document.title = `${strings.sessionsTitle} · ${strings.product}`;
    void loadSessions();
    return () => {
      if (!sessionSearch.value) return;
      sessionSearch.value = "";
      void loadSessions();
    };
  }, []);
  const now = useNow(true);
  const items = visibleSessions.value;
  const searching = sessionSearch.value.trim() !== "";
  return (
    <section class="page-view" aria-labelledby="title">
      <header class="page-head">
        <h1 id="title">{strings.sessionsTitle}</h1>
      </header>
      <label class="search">
        <Icon name="search" />
        <span class="sr-only">{strings.searchConversations}</span>
        <input
          type="search"
          dir="auto"
          placeholder={strings.search}
          value={sessionSearch.value}
          onInput={(event) => {
            sessionSearch.value = event.currentTarget.value;
            void loadSessions();
          }}
        />
      </label>
      {items.length > 0 ? (
        <ul class="session-list">
          {items.map((item) => {
            const title = titleOf(item, item.key);
            return (
              <li key={item.key}>
                <RouteLink to={{ page: "chat", sessionKey: item.key }} class="session-link">
                  <strong dir="auto">{title}</strong>
                  {item.lastMessagePreview && (
                    <span dir="auto">{withoutMarks(item.lastMessagePreview)}</span>
                  )}
                </RouteLink>
                <span
                  class="when"
                  title={item.updatedAt === null ? undefined : fullTime(item.updatedAt)}
                >
                  <Where item={item} />
                  {item.updatedAt === null ? strings.never : ago(item.updatedAt, now)}
                </span>
                <SessionActions sessionKey={item.key} title={title} />
              </li>
            );
          })}
        </ul>
      ) : (
        sessionsLoaded.value && (
          <div class="empty">
            <h2>{searching ? strings.nothingFound : strings.noSessions}</h2>
            {!searching && <p class="muted">{strings.noSessionsText}</p>}
          </div>
        )
      )}
      {moreSessions.value !== undefined && (
        <button type="button" class="button" onClick={() => void loadMoreSessions()}>
          {strings.loadMore}
        </button>
      )}
    </section>
  );
}

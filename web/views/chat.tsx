/** The conversation. */
import { useEffect, useMemo, useRef } from "preact/hooks";

import { connected } from "../connection.ts";
import type { LiveRun } from "../live.ts";
import { type Attachment, post } from "../outbox.ts";
import { Composer } from "../parts/composer.tsx";
import { useFollow } from "../parts/follow.ts";
import { Icon, Mark } from "../parts/icons.tsx";
import { PageView, QueuedView, RowView, UnsentView } from "../parts/message.tsx";
import { usePointed } from "../parts/pointed.ts";
import { SessionActions, Where } from "../parts/session-actions.tsx";
import type { Page, Row } from "../rows.ts";
import { addModel, canSetUp, isDemo, modelOf, sessionOf, threadOf, titleOf } from "../state.ts";
import { strings } from "../strings.ts";
import { setUpWords } from "../strings/set-up.ts";
import { callIdsOf, liveRows, liveTools, type Thread } from "../thread.ts";
import { announcement } from "../toasts.ts";

export default function Chat({ sessionKey }: { sessionKey: string }) {
  const thread = threadOf(sessionKey);
  const session = sessionOf(sessionKey);
  const title = titleOf(session, sessionKey);
  useEffect(() => {
    if (connected.value) void thread.load();
  }, [thread]);
  useEffect(() => {
    document.title = `${title} · ${strings.product}`;
  }, [title]);
  const answered = thread.answered.value;
  useEffect(() => {
    if (answered) announcement.value = answered.text.slice(0, 2000);
  }, [answered]);
  return (
    <section class="chat" aria-label={strings.chat}>
      <header class="head">
        <h1 dir="auto">{title}</h1>
        <Where item={session} />
        <SessionActions sessionKey={sessionKey} title={title} />
      </header>
      <Scroll thread={thread} />
    </section>
  );
}

function Scroll({ thread }: { thread: Thread }) {
  const scroller = useRef<HTMLDivElement>(null);
  const content = useRef<HTMLDivElement>(null);
  const follow = useFollow(scroller, content, thread);
  usePointed(thread, follow.leave);
  const loaded = thread.loaded.value;
  const empty =
    loaded &&
    thread.pages.value.length === 0 &&
    thread.live.value.length === 0 &&
    thread.unsent.value.length === 0;
  return (
    <>
      <div
        ref={scroller}
        class="scroll"
        role="region"
        aria-label={strings.conversation}
        tabIndex={0}
        onScroll={follow.onScroll}
        onClickCapture={follow.hold}
      >
        <div ref={content} class="column">
          {isDemo(modelOf(thread.key)) && <DemoBanner />}
          <Top thread={thread} />
          {empty ? <Empty thread={thread} /> : <Rows thread={thread} />}
        </div>
      </div>
      <div class="foot-area">
        {follow.away.value && (
          <button type="button" class="pill" onClick={follow.toEnd} aria-label={strings.toNewest}>
            <Icon name="down" />
            {follow.fresh.value && <span>{strings.newMessages}</span>}
          </button>
        )}
        <Composer key={thread.key} thread={thread} sent={follow.toEnd} />
      </div>
    </>
  );
}

function DemoBanner() {
  return (
    <aside class="banner">
      <p>{strings.demoBanner}</p>
      <button type="button" class="button" onClick={addModel}>
        {canSetUp.value ? setUpWords.setUp : strings.addModel}
      </button>
    </aside>
  );
}

/** What stands above the oldest known message. */
function Top({ thread }: { thread: Thread }) {
  const error = thread.error.value;
  if (error)
    return (
      <div class="problem" role="alert">
        <Icon name="warn" />
        <div>
          <strong>{strings.historyFailed}</strong>
          <p>{error.message}</p>
        </div>
        <button type="button" class="button" onClick={() => void thread.load()}>
          {strings.tryAgain}
        </button>
      </div>
    );
  if (!thread.loaded.value) return <p class="top late">{strings.loading}</p>;
  if (thread.nextBefore.value !== undefined) return <p class="top">{strings.loadingOlder}</p>;
  return thread.messages.value.length > 30 ? <p class="top">{strings.beginning}</p> : null;
}

function Rows({ thread }: { thread: Thread }) {
  const runs = thread.live.value;
  const messages = thread.messages.value;
  const unsent = thread.unsent.value;
  const tools = useMemo(() => liveTools(runs), [runs]);
  const known = useMemo(() => callIdsOf(messages), [messages]);
  const running = thread.running.value;
  const pages = thread.pages.value;
  const leads = new Set(runs.map((run) => run.runId));
  const mine = new Set(unsent.map((row) => row.key));
  const failed = useMemo(() => failedQuestion(pages), [pages]);
  const view = (row: (typeof unsent)[number], busy: boolean) => (
    <UnsentView key={`out:${row.key}`} row={row} online={connected.value} busy={busy} />
  );
  return (
    <div class="rows">
      {pages.map((page, i) => (
        // A tool of the transcript that still runs can only be in the newest page.
        <PageView key={page.key} page={page} tools={i === pages.length - 1 ? tools : undefined} />
      ))}
      {runs.map((run) => (
        <div key={run.runId} class="page live" aria-busy={!run.ended}>
          {unsent.filter((row) => row.key === run.runId).map((row) => view(row, false))}
          {liveRows(run, (id) => known.has(id)).map((row) => (
            <RowView
              key={row.key}
              row={row}
              live
              tool={row.kind === "tool" ? tools.get(row.id) : undefined}
            />
          ))}
          {!run.ended && !toolRuns(run) && <Working />}
        </div>
      ))}
      <div class="page">
        {thread.queued.value
          .filter((item) => !leads.has(item.runId) && !mine.has(item.runId))
          .map((item) => (
            <QueuedView key={`out:${item.runId}`} text={item.text} />
          ))}
        {unsent.filter((row) => !leads.has(row.key)).map((row) => view(row, running))}
        {failed && !running && !unsent.length && (
          <button
            type="button"
            class="button again"
            onClick={() => post(thread.key, failed.text, failed.images.flatMap(attachmentOf))}
          >
            {strings.tryAgain}
          </button>
        )}
        {!running && unsent.some((row) => row.state === "accepted") && <Working />}
      </div>
    </div>
  );
}

/** The message whose answer failed, when that is how the conversation ends. */
function failedQuestion(pages: Page[]): Extract<Row, { kind: "user" }> | undefined {
  const rows = pages.flatMap((page) => page.rows);
  const end = rows.at(-1);
  if (end?.kind !== "note" || end.level !== "error") return undefined;
  return rows.findLast((row) => row.kind === "user");
}
const attachmentOf = (source: string): Attachment[] => {
  const [, mimeType, content] = /^data:([^;]+);base64,(.*)$/.exec(source) ?? [];
  return mimeType && content ? [{ mimeType, fileName: "image", content }] : [];
};

/** Its own line shows that it runs. */
const toolRuns = (run: LiveRun): boolean =>
  run.parts.some((part) => part.kind === "tool" && part.state === "running");

function Working() {
  if (!connected.value) return <p class="working">{strings.answerPaused}</p>;
  return (
    <p class="working">
      <span class="working-dots" aria-hidden="true">
        <i />
        <i />
        <i />
      </span>
      <span class="late">{strings.working}</span>
    </p>
  );
}

function Empty({ thread }: { thread: Thread }) {
  return (
    <div class="empty">
      <Mark />
      <h2>{strings.emptyTitle}</h2>
      <div class="starters">
        {strings.starters.map((text) => (
          <button
            key={text}
            type="button"
            class="button"
            onClick={() => post(thread.key, text, [])}
          >
            {text}
          </button>
        ))}
      </div>
    </div>
  );
}

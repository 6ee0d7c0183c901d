/** What became of one message: received, decided, queued, run, tools, sent. */
import { useSignal } from "@preact/signals";
import { useEffect } from "preact/hooks";

import { call, connected, RpcError } from "../connection.ts";
import { Failed } from "../failed.tsx";
import { plainName, plainText } from "../names.ts";
import { CopyButton } from "../parts/copy.tsx";
import { Icon } from "../parts/icons.tsx";
import { RouteLink } from "../parts/link.tsx";
import { fullTime, nameOfChannel, strings } from "../strings.ts";
import { messageWords as words } from "../strings/messages.ts";
import { Told } from "../told.tsx";
import type { TraceItem } from "../wire.ts";
import { addressOf, isOpen, sentenceOf, type Step, stepsOf, toneOf } from "./steps.ts";
import { rows } from "./store.ts";

/** How often a message is asked for whose story goes on, in ms. */
const POLL_MS = 2_000;
const clock = new Intl.DateTimeFormat(undefined, { timeStyle: "medium" });

export function MessageStory({ id }: { id: string }) {
  // What the list has is shown at once.
  const known = rows.value?.find((row) => addressOf(row) === id);
  const trace = useSignal<TraceItem | undefined>(known);
  const failed = useSignal<RpcError | undefined>(undefined);
  const online = connected.value;
  useEffect(() => {
    document.title = `${words.messageTitle} · ${strings.product}`;
  }, []);
  useEffect(() => {
    if (!online) return;
    const over = new AbortController();
    const load = async () => {
      try {
        const answer = await call("message.trace", { id });
        if (over.signal.aborted) return;
        trace.value = answer.trace;
        failed.value = undefined;
      } catch (cause) {
        if (!(cause instanceof RpcError)) throw cause;
        if (!over.signal.aborted && connected.value) failed.value = cause;
      }
    };
    void load();
    const timer = setInterval(() => {
      if (!document.hidden && trace.value && isOpen(trace.value)) void load();
    }, POLL_MS);
    return () => {
      over.abort();
      clearInterval(timer);
    };
  }, [online]);
  const found = trace.value;
  return (
    <section class="page-view" aria-labelledby="title">
      <RouteLink to={{ page: "messages" }} class="back">
        <Icon name="right" />
        {words.back}
      </RouteLink>
      <header class="page-head">
        <h1 id="title">{words.messageTitle}</h1>
        {found?.decision.sessionKey && (
          <RouteLink to={{ page: "chat", sessionKey: found.decision.sessionKey }} class="button">
            {words.conversation}
          </RouteLink>
        )}
      </header>
      {failed.value && !found ? (
        <Failed title={words.notFound} error={failed.value} />
      ) : found ? (
        <Story trace={found} />
      ) : (
        <p class="muted late" dir="auto">
          {words.lookingFor(plainName(id))}
        </p>
      )}
    </section>
  );
}

function Story({ trace }: { trace: TraceItem }) {
  const { channel, accountId, chatId, threadId, chat } = trace;
  return (
    <>
      <p class={`message-end large ${toneOf(trace)}`} role="status">
        <span class={`dot ${toneOf(trace)}`} aria-hidden="true" />
        <strong>{sentenceOf(trace)}</strong>
      </p>
      <p class="muted story-place">
        {[nameOfChannel(channel), words.chats[chat] ?? chat].join(", ")}
        {" · "}
        <code dir="ltr">
          {[accountId, chatId, threadId]
            .filter(Boolean)
            .map((part) => plainName(part))
            .join(" / ")}
        </code>
      </p>
      <ol class="timeline" aria-label={words.timeline}>
        {stepsOf(trace).map((step) => (
          <StepView key={step.key} step={step} />
        ))}
      </ol>
    </>
  );
}

function StepView({ step }: { step: Step }) {
  const { title, at, tone, lines, said, remedy, approve, ids, other, list } = step;
  return (
    <li class={tone}>
      <h2>
        {title}
        {at !== undefined && (
          <time dateTime={new Date(at).toISOString()} title={fullTime(at)}>
            {clock.format(at)}
          </time>
        )}
      </h2>
      {lines.map((line) => (
        <p key={line} dir="auto">
          {line}
        </p>
      ))}
      {list && (
        <ul class="tool-list">
          {list.map(({ name, at: when, failed }, i) => (
            <li key={i} class={failed ? "failed" : undefined}>
              <code dir="ltr">{name}</code> {clock.format(when)} {failed && words.toolFailed}
            </li>
          ))}
        </ul>
      )}
      {said && (
        <blockquote dir="auto" class="said">
          {plainText(said)}
        </blockquote>
      )}
      {remedy && (
        <p class="remedy" dir="auto">
          <strong>{words.whatToDo}</strong> <Told text={remedy} />
        </p>
      )}
      {approve && (
        <p>
          <RouteLink to={{ page: "channels" }}>{words.approve}</RouteLink>
        </p>
      )}
      {other && (
        <p>
          <RouteLink to={{ page: "messages", id: other }}>{words.otherRun}</RouteLink>
        </p>
      )}
      {ids?.map(({ name, id }) => (
        <p key={id} class="step-id">
          <span class="muted">{name}</span> <code dir="ltr">{plainName(id, 200)}</code>
          <CopyButton value={id} label={`${strings.copy}: ${name}`} />
        </p>
      ))}
    </li>
  );
}

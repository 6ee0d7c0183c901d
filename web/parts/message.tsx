/** The rows of a conversation. */
import type { ComponentChildren } from "preact";
import { useEffect, useState } from "preact/hooks";

import type { LiveTool } from "../live.ts";
import { again, discard, outboxKept, type Unsent } from "../outbox.ts";
import { hrefOf } from "../router.ts";
import type { Page, Row } from "../rows.ts";
import { currentKey } from "../state.ts";
import { fullTime, strings, timeOf } from "../strings.ts";
import { CopyButton } from "./copy.tsx";
import { Fold } from "./fold.tsx";
import { Icon } from "./icons.tsx";
import { Markdown } from "./markdown.tsx";
import { memo } from "./memo.ts";
import { ToolCard } from "./tool-card.tsx";

const Time = ({ at }: { at: number | undefined }) =>
  at === undefined ? null : (
    <time dateTime={new Date(at).toISOString()} title={fullTime(at)}>
      {timeOf(at)}
    </time>
  );

const idOf = (seq: number | undefined) => (seq === undefined ? undefined : `m${seq}`);
/** The address of a message. */
const addressOf = (seq: number): string =>
  `${location.origin}${hrefOf({ page: "chat", sessionKey: currentKey.value })}#m${seq}`;

function UserBubble({
  seq,
  text,
  images,
  foot,
  pending,
}: {
  seq?: number;
  text: string;
  images: string[];
  foot?: ComponentChildren;
  pending?: boolean;
}) {
  return (
    <article id={idOf(seq)} class={`user${pending ? " pending" : ""}`} aria-label={strings.you}>
      {images.length > 0 && (
        <div class="pictures">
          {images.map((source, i) => (
            <img key={i} src={source} alt={strings.attachedImage} />
          ))}
        </div>
      )}
      {text.trim() && (
        <div class="bubble" dir="auto">
          {text}
        </div>
      )}
      {foot && <div class="foot">{foot}</div>}
    </article>
  );
}

function Note({ row }: { row: Extract<Row, { kind: "note" }> }) {
  if (row.level === "info")
    return (
      <p class="note" dir="auto">
        {row.text}
        {row.hint && <span> {row.hint}</span>}
      </p>
    );
  const details = [row.text, row.hint, row.code && `(${row.code})`].filter(Boolean).join("\n");
  return (
    <div class="problem" role="group" aria-label={row.text}>
      <Icon name="warn" />
      <div dir="auto">
        <strong>{row.text}</strong>
        {row.hint && <p>{row.hint}</p>}
      </div>
      <CopyButton value={details} label={strings.copyDetails} words />
    </div>
  );
}

export function RowView({ row, tool, live }: { row: Row; tool?: LiveTool; live?: boolean }) {
  switch (row.kind) {
    case "user":
      return (
        <UserBubble seq={row.seq} text={row.text} images={row.images} foot={<Time at={row.at} />} />
      );
    case "text":
      return (
        <article id={idOf(row.seq)} class="answer" aria-label={strings.assistant}>
          <Markdown text={row.text} live={live} />
          {!live && (
            <div class="foot">
              <CopyButton value={row.text} label={strings.copyAnswer} />
              {row.seq !== undefined && (
                <CopyButton
                  value={() => addressOf(row.seq!)}
                  label={strings.copyLink}
                  icon="link"
                />
              )}
              <Time at={row.at} />
              {row.model && <span>{row.model}</span>}
            </div>
          )}
        </article>
      );
    case "thinking":
      return (
        <Fold
          id={row.key}
          class="thought"
          label={live ? strings.thinking : strings.thought}
          head={
            <>
              <Icon name="bulb" />
              <span>{live ? strings.thinking : strings.thought}</span>
            </>
          }
        >
          {() => <Markdown text={row.text} live={live} />}
        </Fold>
      );
    case "tool":
      return <ToolCard row={row} live={tool} />;
    case "note":
      return <Note row={row} />;
  }
}

/** A page of rows; drawn again only when one of its rows changed, or a tool in it is running. */
export const PageView = memo(
  function PageView({ page, tools }: { page: Page; tools: Map<string, LiveTool> | undefined }) {
    return (
      <div class="page">
        {page.rows.map((row) => (
          <RowView
            key={row.key}
            row={row}
            tool={row.kind === "tool" ? tools?.get(row.id) : undefined}
          />
        ))}
      </div>
    );
  },
  (a, b) => a.page === b.page && a.tools === b.tools,
);

/** A send that is not answered for this long is said to wait, in ms. */
const LATE_MS = 3000;

/** True when `waits` has been true for a while. */
function useLate(waits: boolean): boolean {
  const [late, setLate] = useState(false);
  useEffect(() => {
    setLate(false);
    if (!waits) return;
    const timer = setTimeout(() => setLate(true), LATE_MS);
    return () => clearTimeout(timer);
  }, [waits]);
  return waits && late;
}

/** A message of ours that the transcript does not have yet. `busy`: another answer is being written. */
export function UnsentView({ row, online, busy }: { row: Unsent; online: boolean; busy: boolean }) {
  const images = row.attachments.map((a) => `data:${a.mimeType};base64,${a.content}`);
  const ended = row.state === "failed" || row.state === "stopped";
  const late = useLate(row.state === "waiting");
  const state = ended
    ? (row.error?.text ?? strings.stoppedUnread)
    : row.state === "waiting" && (!online || row.error || late)
      ? online && row.error
        ? strings.notSentYet(row.error.text)
        : strings.waitingForConnection
      : row.state === "accepted" && busy
        ? strings.willBeRead
        : undefined;
  const foot = (state || !outboxKept.value) && (
    <>
      <span class={row.state === "failed" ? "bad" : undefined}>
        {state}
        {(ended || online) && row.error?.hint && ` ${row.error.hint}`}
        {!outboxKept.value && !ended && ` ${strings.notKept}`}
      </span>
      {ended && (
        <>
          <button type="button" class="link" onClick={() => again(row.key)}>
            {strings.sendAgain}
          </button>
          <button type="button" class="link" onClick={() => discard(row.key)}>
            {strings.discard}
          </button>
        </>
      )}
    </>
  );
  return <UserBubble text={row.text} images={images} foot={foot} pending={!!state} />;
}

/** A message of another tab or device that waits behind the running turn. */
export const QueuedView = ({ text }: { text: string }) => (
  <UserBubble text={text} images={[]} foot={strings.willBeRead} pending />
);

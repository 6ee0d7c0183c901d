import { useSignal } from "@preact/signals";
import { useEffect, useLayoutEffect, useRef } from "preact/hooks";

import { call, connected, RpcError } from "../connection.ts";
import { type Level, LEVELS, type LogLine, readLine } from "../log-lines.ts";
import { systemWords } from "../strings/system.ts";
import { showError } from "../toasts.ts";

const POLL_MS = 2000;
/** Lines kept on the page; the file has the rest. */
const KEPT = 1000;
const time = new Intl.DateTimeFormat(undefined, { timeStyle: "medium" });

/** The end of the log, as it grows. */
export function LogTail() {
  const lines = useSignal<LogLine[]>([]);
  const file = useSignal<string | undefined>(undefined);
  const cut = useSignal(false);
  const level = useSignal<Level>("info");
  const filter = useSignal("");
  const follow = useSignal(true);
  const box = useRef<HTMLDivElement>(null);

  useEffect(() => {
    let cursor: number | undefined;
    let next = 0;
    let stopped = false;
    let timer: ReturnType<typeof setTimeout>;
    const poll = async () => {
      if (connected.value && !document.hidden) {
        try {
          const answer = await call(
            "logs.tail",
            cursor === undefined ? { limit: 300 } : { cursor },
          );
          if (stopped) return;
          const fresh = answer.lines.map((line) => readLine(line, next++));
          const before = answer.reset && cursor !== undefined ? [] : lines.value;
          if (fresh.length || before !== lines.value)
            lines.value = [...before, ...fresh].slice(-KEPT);
          cut.value ||= answer.truncated === true;
          file.value = answer.file;
          cursor = answer.cursor;
        } catch (cause) {
          // A lost connection is shown elsewhere; anything else once, not every two seconds.
          if (connected.value || !(cause instanceof RpcError)) return showError(cause);
        }
      }
      if (!stopped) timer = setTimeout(() => void poll(), POLL_MS);
    };
    void poll();
    return () => {
      stopped = true;
      clearTimeout(timer);
    };
  }, [connected.value]);

  useLayoutEffect(() => {
    if (follow.value && box.current) box.current.scrollTop = box.current.scrollHeight;
  });

  const lowest = LEVELS.indexOf(level.value);
  const words = filter.value.trim().toLowerCase();
  const shown = lines.value.filter(
    (line) =>
      LEVELS.indexOf(line.level) >= lowest &&
      (!words || `${line.unit} ${line.text}`.toLowerCase().includes(words)),
  );
  return (
    <section class="card log" aria-labelledby="log">
      <div class="log-head">
        <h2 id="log">{systemWords.logs}</h2>
        <input
          type="search"
          aria-label={systemWords.logFilter}
          placeholder={systemWords.logFilter}
          value={filter.value}
          onInput={(event) => (filter.value = event.currentTarget.value)}
        />
        <select
          aria-label={systemWords.logLevel}
          value={level.value}
          onChange={(event) => (level.value = event.currentTarget.value as Level)}
        >
          {LEVELS.map((name) => (
            <option key={name}>{name}</option>
          ))}
        </select>
        <label class="check">
          <input
            type="checkbox"
            checked={follow.value}
            onChange={(event) => (follow.value = event.currentTarget.checked)}
          />
          {systemWords.logFollow}
        </label>
      </div>
      <div
        ref={box}
        class="log-lines"
        role="region"
        aria-label={systemWords.logs}
        tabIndex={0}
        onScroll={(event) => {
          const { scrollHeight, scrollTop, clientHeight } = event.currentTarget;
          follow.value = scrollHeight - scrollTop - clientHeight < 24;
        }}
      >
        {cut.value && <p class="muted">{systemWords.logCut}</p>}
        {shown.length === 0 && <p class="muted">{systemWords.logEmpty}</p>}
        {shown.map((line) => (
          <div key={line.key} class={`log-line ${line.level}`}>
            <time>{line.at === undefined ? "" : time.format(line.at)}</time>
            <span class="log-level">{line.level}</span>
            <span class="log-unit">{line.unit}</span>
            <span class="log-text" dir="auto">
              {line.text}
            </span>
          </div>
        ))}
      </div>
      {file.value && (
        <p class="muted log-file">
          {systemWords.logFile}: <code>{file.value}</code>
        </p>
      )}
    </section>
  );
}

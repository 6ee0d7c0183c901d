/** One tool call: a quiet line with its name and main argument that opens to input and result. */
import { useState } from "preact/hooks";

import type { LiveTool } from "../live.ts";
import type { ToolRow } from "../rows.ts";
import { duration, sizeOf, strings } from "../strings.ts";
import { CopyButton } from "./copy.tsx";
import { Fold } from "./fold.tsx";
import { Icon, type IconName } from "./icons.tsx";

const ICONS: Record<string, IconName> = {
  exec: "terminal",
  process: "terminal",
  read: "file",
  write: "edit",
  edit: "edit",
};
/** The argument that says most, by the names that tools use for it. */
const MAIN = [
  "command",
  "path",
  "file_path",
  "url",
  "query",
  "action",
  "message",
  "prompt",
  "name",
];
const SHOWN = 20_000;

function mainArgument(args: unknown): string {
  if (typeof args === "string") return args;
  if (typeof args !== "object" || args === null) return "";
  const values = args as Record<string, unknown>;
  const key = MAIN.find((name) => typeof values[name] === "string");
  const value = key ? values[key] : Object.values(values).find((v) => typeof v === "string");
  return typeof value === "string" ? value.replace(/\s+/g, " ").slice(0, 300) : "";
}

function Output({ title, text }: { title: string; text: string }) {
  const [whole, setWhole] = useState(false);
  const cut = !whole && text.length > SHOWN;
  return (
    <div class="tool-part">
      <div class="tool-part-head">
        <span>{title}</span>
        <CopyButton value={text} label={strings.copy} />
      </div>
      <pre tabIndex={0} dir="auto">
        {cut ? text.slice(0, SHOWN) : text}
      </pre>
      {cut && (
        <button type="button" class="quiet rest" onClick={() => setWhole(true)}>
          {strings.showRest(sizeOf(text.length - SHOWN))}
        </button>
      )}
    </div>
  );
}

const inputText = (args: unknown): string =>
  typeof args === "string" ? args : (JSON.stringify(args, null, 2) ?? "");

/** `live` is what the running tool has said so far; the row is what the transcript knows. */
export function ToolCard({ row, live }: { row: ToolRow; live?: LiveTool }) {
  const output = row.output ?? live?.output;
  const running = row.output === undefined && live?.state === "running";
  const stopped = row.stopped === true && !running && live?.state !== "done";
  const failed = !stopped && (row.failed ?? live?.state === "failed");
  const ms = row.ms ?? live?.ms;
  const main = mainArgument(row.args);
  const progress = running ? output?.trimEnd().split("\n").at(-1)?.slice(0, 200) : undefined;
  const state = running
    ? strings.toolRunning
    : stopped
      ? strings.toolStopped
      : failed
        ? strings.toolFailed
        : output === undefined
          ? strings.toolNoResult
          : ms === undefined
            ? ""
            : duration(ms);
  const name = row.name || strings.tool;
  return (
    <Fold
      id={row.key}
      class={`tool${running ? " running" : ""}${failed ? " failed" : ""}`}
      label={[`${strings.tool} ${name}`, main, state].filter(Boolean).join(", ")}
      head={
        <>
          <Icon name={failed ? "warn" : (ICONS[name] ?? "wrench")} />
          <span class="tool-name">{name}</span>
          <span class="tool-main" dir="auto">
            {progress ?? main}
          </span>
          <span class="tool-state">{state}</span>
        </>
      }
    >
      {() => (
        <>
          {row.args !== undefined && (
            <Output title={strings.toolArguments} text={inputText(row.args)} />
          )}
          {output === undefined ? (
            <p class="muted">
              {running ? strings.toolRunning : stopped ? strings.toolStopped : strings.toolNoResult}
            </p>
          ) : output === "" ? (
            <p class="muted">{strings.toolEmpty}</p>
          ) : (
            <Output title={strings.toolResult} text={output} />
          )}
        </>
      )}
    </Fold>
  );
}

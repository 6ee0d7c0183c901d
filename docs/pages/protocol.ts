/** docs/reference/methods.md and events.md: what goes over the WebSocket. */
import type { SchemaNode } from "../../src/base/schema.ts";
import { EVENTS } from "../../src/gateway/hello.ts";
import { describe, type MethodTable } from "../../src/gateway/method.ts";
import { methods } from "../../src/gateway/methods/index.ts";
import { MAX_PAYLOAD, PROTOCOLS } from "../../src/protocol/frames.ts";
import { code, codes, page, prose, table } from "./markdown.ts";
import { number, parameters } from "./values.ts";

/** The schema names what matters, and the answer holds more. */
const isOpen = (result: SchemaNode): boolean => typeof result.additionalProperties === "object";
const anchor = (name: string): string => name.replaceAll(".", "");

export function methodsPage(): string {
  const all = describe(methods);
  const rows: MethodTable = methods;
  const sections = all.map(({ name, doc, scope, params, result }) => {
    const modern = rows[name]!.newScope;
    const answer = Object.keys(result.properties ?? {});
    return [
      `## ${name}`,
      prose(doc),
      `Scope: ${code(scope)}${modern && modern !== scope ? `; with protocol 4 ${code(modern)}` : ""}.`,
      parameters(params) || "No parameters.",
      answer.length > 0 ? `Answer: ${codes(answer)}${isOpen(result) ? " and more" : ""}.` : "",
    ]
      .filter(Boolean)
      .join("\n\n");
  });
  return page(
    "Methods",
    "src/gateway/methods",
    `The requests that a client may send over the WebSocket after \`connect\`, in protocols ${PROTOCOLS.join(" and ")}: \`{"type": "req", "id": "1", "method": "health", "params": {}}\`, at most ${number(MAX_PAYLOAD / 1024 / 1024)} MiB each. Parameters that are not listed are ignored. \`clawdbot gateway call <method> --params '{}'\` sends one from the terminal.`,
    table(
      ["method", "scope", "what it does"],
      all.map(({ name, doc, scope }) => [`[${name}](#${anchor(name)})`, code(scope), prose(doc)]),
    ),
    ...sections,
  );
}

export const eventsPage = (): string =>
  page(
    "Events",
    "src/gateway/hello.ts",
    'What the gateway sends by itself: `{"type": "event", "event": "tick", "payload": {}, "seq": 7}`. `seq` counts the events of one connection without a gap; a client that finds one reads the history again.',
    table(
      ["event", "when, and what it holds"],
      Object.entries(EVENTS).map(([name, doc]) => [code(name), prose(doc)]),
    ),
  );

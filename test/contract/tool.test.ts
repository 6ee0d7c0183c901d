import { expect, test } from "bun:test";

import { TOOLS } from "../../src/tools/registry.ts";
import { toolSpec } from "../../src/tools/tool.ts";
import { toolContract } from "./tool.ts";

for (const t of TOOLS) toolContract(t);

test("no two tools have the same name", () => {
  const names = TOOLS.map((t) => t.name);
  expect(new Set(names).size).toBe(names.length);
});

test("all tools together cost a model little: under 5,000 characters, about 1,300 tokens", () => {
  const always = TOOLS.filter((tool) => !tool.needsNetwork);
  expect(JSON.stringify(always.map(toolSpec)).length).toBeLessThan(5000);
  // The message tool alone has half as many parameters as all others, and is offered only where there is a network.
  expect(JSON.stringify(TOOLS.map(toolSpec)).length).toBeLessThan(5600);
});

test("the specification of a tool is the same bytes every time, so that a prompt cache holds", () => {
  expect(JSON.stringify(TOOLS.map(toolSpec))).toBe(JSON.stringify(TOOLS.map(toolSpec)));
});

test("the tools carry the original's parameters", () => {
  const parameters = Object.fromEntries(
    TOOLS.map((t) => [t.name, Object.keys(t.input.shape).join(" ")]),
  );
  expect(parameters).toEqual({
    read: "path offset limit",
    write: "path content",
    edit: "path oldText newText",
    exec: "command workdir env yieldMs background timeout pty elevated host security ask node",
    process: "action sessionId data keys hex literal text bracketed eof offset limit",
    message:
      "action target targets channel accountId message media asVoice buttons silent replyTo threadId messageId emoji remove pollQuestion pollOption pollMulti pollDurationHours limit before query userId stickerId threadName",
  });
});

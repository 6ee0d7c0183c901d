/** docs/reference/tools.md: what a model may call. */
import { TOOL_GROUPS, TOOL_PROFILES, toolName } from "../../src/tools/policy.ts";
import { TOOLS } from "../../src/tools/registry.ts";
import { type AnyTool, toolSpec } from "../../src/tools/tool.ts";
import { code, codes, page, prose, table } from "./markdown.ts";
import { parameters } from "./values.ts";

function section(tool: AnyTool): string {
  const spellings = Map.groupBy(Object.entries(tool.aliases ?? {}), ([, name]) => name);
  const others = [...spellings].map(
    ([name, pairs]) => `${pairs.map(([other]) => code(other)).join(" or ")} for ${code(name)}`,
  );
  return [
    `## ${tool.name}`,
    prose(tool.description),
    parameters(toolSpec(tool).inputSchema),
    others.length > 0 ? `Also understood: ${others.join(", ")}.` : "",
  ]
    .filter(Boolean)
    .join("\n\n");
}

const built = TOOLS.map((tool) => tool.name);
/** The tools of this version that a list of names and groups stands for. */
const members = (names: readonly string[]): string[] =>
  built.filter((name) =>
    names.some(
      (entry) => entry === "*" || toolName(entry) === name || !!TOOL_GROUPS[entry]?.includes(name),
    ),
  );
const rows = (lists: Readonly<Record<string, readonly string[]>>): string[][] =>
  Object.entries(lists).map(([name, entries]) => [
    code(name),
    codes(members(entries)) || "none yet",
  ]);

export const toolsPage = (): string =>
  page(
    "Tools",
    "src/tools/registry.ts",
    "What a model may call, with the words that it reads. `tools.profile`, `tools.allow` and `tools.deny` in the [config](config.md#tools) say which of them an agent has.",
    table(
      ["tool", "what it is"],
      TOOLS.map((tool) => [`[${tool.name}](#${tool.name})`, prose(tool.summary)]),
    ),
    ...TOOLS.map(section),
    "## Profiles and groups",
    "For `tools.profile`:",
    table(["profile", "tools of this version"], rows(TOOL_PROFILES)),
    "For `tools.allow`, `tools.alsoAllow` and `tools.deny`, besides names and `*` patterns:",
    table(["group", "tools of this version"], rows(TOOL_GROUPS)),
  );

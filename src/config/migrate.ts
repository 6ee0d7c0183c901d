/**
 * Older spellings of keys, read as what they are called today. The user's file is not changed: this works on the value in memory.
 * What stands under the new name already always wins; groups are filled where they have gaps.
 */
import { isRecord, type Path } from "./path.ts";

type Group = Record<string, unknown>;
/** A key that was read under another name. `to` is empty when it has no effect any more. */
export type Moved = { from: Path; to: Path };

/** The value being migrated, with the few operations that rows are made of. */
class Draft {
  readonly moved: Moved[] = [];
  constructor(readonly root: Group) {}

  get(path: Path): unknown {
    let value: unknown = this.root;
    for (const key of path)
      value = isRecord(value) || Array.isArray(value) ? (value as Group)[key] : undefined;
    return value;
  }

  /** Removes and gives a value; groups that are empty after that go too. */
  take(path: Path): unknown {
    const parent = this.get(path.slice(0, -1));
    const key = path.at(-1)!;
    if (!isRecord(parent) || !Object.hasOwn(parent, key)) return undefined;
    const value = parent[key];
    delete parent[key];
    if (path.length > 1 && Object.keys(parent).length === 0) this.take(path.slice(0, -1));
    return value;
  }

  /** Puts a value where none is; a group fills the gaps of a group. */
  put(path: Path, value: unknown): void {
    let parent: Group = this.root;
    for (const key of path.slice(0, -1)) {
      if (parent[key] === undefined) parent[key] = {};
      const next = parent[key];
      if (!isRecord(next)) return;
      parent = next;
    }
    const key = path.at(-1)!;
    parent[key] = Object.hasOwn(parent, key) ? fill(parent[key], value) : value;
  }

  move(from: Path, to: Path, convert: (value: unknown) => unknown = (value) => value): void {
    const value = this.take(from);
    if (value === undefined) return;
    this.moved.push({ from, to });
    const converted = convert(value);
    if (converted !== undefined) this.put(to, converted);
  }
}

function fill(there: unknown, more: unknown): unknown {
  if (!isRecord(there) || !isRecord(more)) return there;
  const out: Group = { ...there };
  for (const [key, value] of Object.entries(more))
    out[key] = Object.hasOwn(out, key) ? fill(out[key], value) : value;
  return out;
}

/** One older spelling. `from` and `to` are dotted; a last `*` stands for every key that matches `keys`. */
export type Row = {
  from: string;
  to: string;
  keys?: RegExp;
  convert?: (value: unknown) => unknown;
  /** Where a plain move is not enough; does everything itself. */
  run?: (draft: Draft) => void;
};

const primary = (value: unknown) => (typeof value === "string" ? { primary: value } : value);
/** `…ModelFallbacks` beside a model that may still be a plain text. */
function moveFallbacks(draft: Draft, from: Path, to: Path): void {
  const model = draft.get(to);
  if (draft.get(from) !== undefined && typeof model === "string") {
    draft.take(to);
    draft.put(to, { primary: model });
  }
  draft.move(from, to, (value) => (Array.isArray(value) ? { fallbacks: value } : undefined));
}
const strings = (value: unknown): string[] =>
  Array.isArray(value) ? value.filter((item) => typeof item === "string") : [];

/** `messages.queue.byProvider` and the like: every item's `match` says `channel` now. */
function renameMatch(draft: Draft, list: Path, names: Record<string, string>): void {
  const items = draft.get(list);
  if (!Array.isArray(items)) return;
  for (const [i, item] of items.entries()) {
    const match = isRecord(item) ? item.match : undefined;
    if (!isRecord(match)) continue;
    for (const [from, to] of Object.entries(names)) {
      if (!Object.hasOwn(match, from)) continue;
      const at = [...list, String(i), "match"];
      draft.moved.push({ from: [...at, from], to: [...at, to] });
      if (!Object.hasOwn(match, to)) match[to] = match[from];
      delete match[from];
    }
  }
}

/** The list of agents, made when there is none; entries that are no groups are left to the validation. */
function agentList(draft: Draft): Group[] {
  draft.put(["agents", "list"], []);
  const list = draft.get(["agents", "list"]);
  return Array.isArray(list) ? (list as Group[]) : [];
}

function agentOf(draft: Draft, id: string): Group {
  const list = agentList(draft);
  const found = list.find((agent) => isRecord(agent) && agent.id === id);
  if (found) return found;
  const made: Group = { id };
  list.push(made);
  return made;
}

/** `routing.agents` and `agents.entries`: a map by id instead of a list. */
function listFromMap(draft: Draft, from: Path, convert: (agent: Group) => Group): void {
  const map = draft.get(from);
  if (!isRecord(map)) return;
  draft.take(from);
  draft.moved.push({ from, to: ["agents", "list"] });
  for (const [id, agent] of Object.entries(map)) {
    const there = agentOf(draft, id);
    if (isRecord(agent)) Object.assign(there, fill(there, convert(agent)));
  }
}

function oldRoutedAgent({ mentionPatterns, sandbox, ...rest }: Group): Group {
  const { tools, ...box } = isRecord(sandbox) ? sandbox : {};
  return {
    ...rest,
    ...(mentionPatterns !== undefined && { groupChat: { mentionPatterns } }),
    ...(Object.keys(box).length > 0 && { sandbox: box }),
    ...(tools !== undefined && { tools: fill(rest.tools ?? {}, { sandbox: { tools } }) }),
  };
}

/** Whom the agents of the list recognise as the default one: marked, else first, else `main`. */
function defaultAgent(draft: Draft): Group {
  const list = draft.get(["agents", "list"]);
  const agents = Array.isArray(list) ? list.filter(isRecord) : [];
  return agents.find((agent) => agent.default === true) ?? agents[0] ?? agentOf(draft, "main");
}

/** A command that writes speech down; only `whisper` was ever accepted by those who wrote it. */
const transcriber = (value: unknown): unknown => {
  if (!isRecord(value) || !Array.isArray(value.command)) return undefined;
  const [command, ...args] = strings(value.command);
  if (!command || !/(^|[/\\])whisper[\w.-]*$/.test(command)) return undefined;
  const timeout = value.timeoutSeconds;
  return [
    { type: "cli", command, args, ...(timeout !== undefined && { timeoutSeconds: timeout }) },
  ];
};

const MENTION = "routing.groupChat.requireMention";

/** In this order; a later row sees what an earlier one has moved. */
export const MIGRATIONS: Row[] = [
  {
    from: "*",
    to: "channels.*",
    keys: /^(whatsapp|telegram|discord|slack|signal|imessage|msteams)$/,
  },
  {
    from: "routing.allowFrom",
    to: "channels.whatsapp.allowFrom",
    run(draft) {
      const known = draft.get(["channels", "whatsapp"]) !== undefined;
      draft.move(["routing", "allowFrom"], ["channels", "whatsapp", "allowFrom"], (value) =>
        known ? value : undefined,
      );
    },
  },
  {
    from: MENTION,
    to: 'channels.*.groups["*"].requireMention',
    run(draft) {
      const value = draft.take(MENTION.split("."));
      if (value === undefined) return;
      const ids = /^(whatsapp|telegram|imessage)$/;
      const channels = draft.get(["channels"]);
      const present = isRecord(channels) ? Object.keys(channels).filter((id) => ids.test(id)) : [];
      for (const id of present) draft.put(["channels", id, "groups", "*", "requireMention"], value);
      draft.moved.push({ from: MENTION.split("."), to: ["channels"] });
    },
  },
  { from: "channels.telegram.requireMention", to: "channels.telegram.groups.*.requireMention" },
  { from: "routing.groupChat", to: "messages.groupChat" },
  {
    from: "routing.agents",
    to: "agents.list",
    run: (draft) => listFromMap(draft, ["routing", "agents"], oldRoutedAgent),
  },
  {
    from: "agents.entries",
    to: "agents.list",
    run: (draft) => listFromMap(draft, ["agents", "entries"], (agent) => agent),
  },
  {
    from: "routing.defaultAgentId",
    to: "agents.list[].default",
    run(draft) {
      const id = draft.take(["routing", "defaultAgentId"]);
      if (typeof id !== "string") return;
      draft.moved.push({ from: ["routing", "defaultAgentId"], to: ["agents", "list"] });
      const list = draft.get(["agents", "list"]);
      const marked = Array.isArray(list) && list.some((a) => isRecord(a) && a.default === true);
      if (!marked) agentOf(draft, id).default = true;
    },
  },
  { from: "routing.bindings", to: "bindings" },
  { from: "routing.agentToAgent", to: "tools.agentToAgent" },
  { from: "routing.queue", to: "messages.queue" },
  { from: "routing.transcribeAudio", to: "tools.media.audio.models", convert: transcriber },
  { from: "audio.transcription", to: "tools.media.audio.models", convert: transcriber },
  { from: "agent.tools.allow", to: "tools.allow" },
  { from: "agent.tools.deny", to: "tools.deny" },
  { from: "agent.elevated", to: "tools.elevated" },
  { from: "agent.bash", to: "tools.exec" },
  { from: "agent.sandbox.tools", to: "tools.sandbox.tools" },
  { from: "agent.subagents.tools", to: "tools.subagents.tools" },
  { from: "agent.model", to: "agents.defaults.model", convert: primary },
  { from: "agent.*", to: "agents.defaults.*", keys: /./ },
  {
    from: "agents.defaults.modelFallbacks",
    to: "agents.defaults.model.fallbacks",
    run: (draft) =>
      moveFallbacks(
        draft,
        ["agents", "defaults", "modelFallbacks"],
        ["agents", "defaults", "model"],
      ),
  },
  {
    from: "agents.defaults.imageModelFallbacks",
    to: "agents.defaults.imageModel.fallbacks",
    run: (draft) =>
      moveFallbacks(
        draft,
        ["agents", "defaults", "imageModelFallbacks"],
        ["agents", "defaults", "imageModel"],
      ),
  },
  {
    from: "agents.defaults.allowedModels",
    to: "agents.defaults.models",
    convert: (value) => Object.fromEntries(strings(value).map((ref) => [ref, {}])),
  },
  {
    from: "agents.defaults.modelAliases",
    to: "agents.defaults.models",
    convert: (value) =>
      isRecord(value)
        ? Object.fromEntries(Object.entries(value).map(([alias, ref]) => [String(ref), { alias }]))
        : undefined,
  },
  {
    from: "identity",
    to: "agents.list[].identity",
    run(draft) {
      const identity = draft.take(["identity"]);
      if (identity === undefined) return;
      draft.moved.push({ from: ["identity"], to: ["agents", "list"] });
      const agent = defaultAgent(draft);
      agent.identity = fill(agent.identity ?? {}, identity);
    },
  },
  { from: "tools.bash", to: "tools.exec" },
  { from: "tools.exec.timeoutSeconds", to: "tools.exec.timeoutSec" },
  { from: "tools.exec.yieldMs", to: "tools.exec.backgroundMs" },
  {
    from: "messages.tts.enabled",
    to: "messages.tts.auto",
    convert: (value) => (value === true ? "always" : "off"),
  },
  {
    from: "gateway.token",
    to: "gateway.auth",
    convert: (token) => ({ mode: "token", token }),
  },
  {
    from: "bindings[].match.provider",
    to: "bindings[].match.channel",
    run: (draft) =>
      renameMatch(draft, ["bindings"], { provider: "channel", accountID: "accountId" }),
  },
  {
    from: "session.sendPolicy.rules[].match.provider",
    to: "session.sendPolicy.rules[].match.channel",
    run: (draft) => renameMatch(draft, ["session", "sendPolicy", "rules"], { provider: "channel" }),
  },
  { from: "messages.queue.byProvider", to: "messages.queue.byChannel" },
  { from: "memory.search", to: "agents.defaults.memorySearch" },
  {
    from: "auth.profiles.anthropic:claude-cli",
    to: "auth.profiles.anthropic:claude-cli.mode",
    run(draft) {
      const profile = draft.get(["auth", "profiles", "anthropic:claude-cli"]);
      if (isRecord(profile) && profile.mode === "token") profile.mode = "oauth";
    },
  },
];

/** Applies all rows to `root` in place (a value of its own, from the parser). Gives what was read under another name. */
export function migrate(root: Record<string, unknown>, rows: readonly Row[] = MIGRATIONS): Moved[] {
  const draft = new Draft(root);
  for (const row of rows) {
    if (row.run) row.run(draft);
    else if (row.keys) {
      const parent = row.from.split(".").slice(0, -1);
      const group = draft.get(parent);
      const to = row.to.split(".").slice(0, -1);
      for (const key of isRecord(group) ? Object.keys(group) : [])
        if (row.keys.test(key)) draft.move([...parent, key], [...to, key]);
    } else draft.move(row.from.split("."), row.to.split("."), row.convert);
  }
  return draft.moved;
}

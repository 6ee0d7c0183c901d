/** Puts one run together: the session's history, the prompt, the tools and the model of its agent. Called by the pipeline, once per turn. */
import { join } from "node:path";

import type { Env } from "../base/env.ts";
import { toAppError } from "../base/errors.ts";
import type { Logger } from "../base/log.ts";
import type { Paths } from "../base/paths.ts";
import type { Clock } from "../base/time.ts";
import type { Config } from "../config/schema.ts";
import type { ModelChoice, Thinking, Turn, TurnEvent, Usage } from "../flow.ts";
import type { MediaStore } from "../media/store.ts";
import type { ModelInfo } from "../providers/provider.ts";
import type { NewEntry, SessionRow, Store, TurnRow } from "../store/store.ts";
import { childEnv } from "../tools/environment.ts";
import type { JobExit, Jobs } from "../tools/jobs.ts";
import { allowedTools, GUEST_POLICY, policiesFor, SUBAGENT_POLICY } from "../tools/policy.ts";
import { TOOLS } from "../tools/registry.ts";
import { toolSpec } from "../tools/tool.ts";
import { type AgentRequest, type AnswerEvent, failedRun, runTurn } from "./loop.ts";
import { hasImages, mayBePictures, REFUSED_NOTE, withoutImages } from "./pictures.ts";
import { systemPrompt, volatileContext } from "./prompt.ts";
import { type SaidDeps, userMessage } from "./said.ts";
import type { TurnSetting } from "./setting.ts";
import { type AgentSettings, agentSettings } from "./settings.ts";
import { isSubagent, Snapshots } from "./snapshots.ts";
import {
  estimateTokens,
  fitHistory,
  lastTurns,
  messageRoom,
  resultCharsFor,
  tokensOf,
} from "./window.ts";

/** The model of one run, chosen once; failover happens inside `stream`. */
export type RunModel = {
  info: ModelInfo;
  stream(request: AgentRequest, signal: AbortSignal): AsyncIterable<AnswerEvent>;
};

export type ConversationDeps = {
  store: Store;
  clock: Clock;
  log: Logger;
  paths: Paths;
  env(): Env;
  config(): Config;
  jobs: Jobs;
  media: MediaStore;
  picture: SaidDeps["picture"];
  /** What the chat and its config add to a turn. */
  setting(turn: TurnRow): TurnSetting;
  /** `wanted` is the session's own choice. Throws AppError when no model can be used. */
  model(settings: AgentSettings, session: SessionRow, wanted?: string): Promise<RunModel>;
};

/** Model calls of one run; a run that needs more is going in circles. */
const MAX_STEPS = 200;
/** Per session id: the entry up to which pictures stay away from the model, because it refused one of them. */
const REFUSED_IMAGES = "refused-images";

/** How a run is asked: as it is first, then with less when the provider refuses that. */
type Asking = {
  /** With half of the history: the provider counts tokens in its own way. */
  squeeze: boolean;
  /** False: without the pictures that the history has so far. */
  images: boolean;
  /** Whether the last request showed the model a picture. */
  shown: boolean;
};

/** Notices of one session that nobody has heard yet; older ones go. */
const MAX_NOTICES = 20;
/** Sessions with such notices; whoever only reacts and never writes would fill the memory. The oldest go. */
const MAX_NOTED = 1_000;
/** Different prompts that are kept; there are about two per agent. */
const MAX_PROMPTS = 100;

export class Conversations {
  private readonly notices = new Map<string, string[]>();
  private hostZone: string | undefined;
  /** Prompts that sessions have in common, so that a thousand running turns do not hold a thousand copies. */
  private readonly prompts = new Map<string, string>();

  private readonly snapshots: Snapshots;

  constructor(private readonly deps: ConversationDeps) {
    this.snapshots = new Snapshots(deps);
  }

  /** A background command ended: the model hears of it with the session's next message. */
  commandEnded({ sessionKey, id, command, status, exitCode, tail }: JobExit): void {
    const how = exitCode === undefined ? status : `${status}, exit code ${exitCode}`;
    const output = tail.trim() ? ` Its output ends with:\n${tail.trim()}` : "";
    this.note(
      sessionKey,
      `the background command ${id} (${command.slice(0, 200)}) ended: ${how}.${output}`,
    );
  }

  /** The model hears of it with the session's next message. */
  note(sessionKey: string, text: string): void {
    const said = this.notices.get(sessionKey) ?? [];
    this.notices.delete(sessionKey);
    this.notices.set(sessionKey, [...said, text].slice(-MAX_NOTICES));
    if (this.notices.size > MAX_NOTED) this.notices.delete(this.notices.keys().next().value!);
  }

  /** What is appended to the transcript for messages that are about to be answered. */
  async entries(turns: TurnRow[], resumed: boolean): Promise<NewEntry[]> {
    const lead = turns[0]!;
    const { store, clock } = this.deps;
    const session = await store.sessions.ensure(lead.sessionKey, lead.agentId, clock.now());
    const settings = this.settings(lead.agentId);
    const setting = this.deps.setting(lead);
    const changed = await this.snapshots.changes(settings, session, setting.guest);
    const begun = await store.transcript.page(session.sessionId, { limit: 1 });
    const previousAt = begun[0]?.at;
    const said: NewEntry[] = resumed ? [] : await this.said(turns, settings, previousAt);
    const context = volatileContext({
      at: clock.now(),
      timeZone: this.zone(settings),
      changed,
      notices: this.notices.get(lead.sessionKey),
      previous: resumed ? "resumed" : session.abortedLastRun ? "aborted" : undefined,
      instructions: [
        previousAt === undefined && setting.intro,
        setting.instructions,
        turns.at(-1)?.inbound.wish?.instructions,
      ]
        .filter(Boolean)
        .join("\n"),
    });
    this.notices.delete(lead.sessionKey);
    const note: NewEntry[] = resumed
      ? [
          {
            at: clock.now(),
            body: {
              kind: "note",
              level: "info",
              text: "This answer was interrupted and goes on.",
              runId: lead.id,
            },
          },
        ]
      : [];
    return [
      ...said,
      ...note,
      { at: clock.now(), body: { kind: "context", text: context, runId: lead.id } },
    ];
  }

  private said(
    turns: TurnRow[],
    { defaults }: AgentSettings,
    previousAt?: number,
  ): Promise<NewEntry[]> {
    const { media, picture } = this.deps;
    const deps = { media, picture, options: defaults, previousAt };
    return Promise.all(
      turns.map(async (turn) => ({
        at: turn.acceptedAt,
        body: await userMessage(turn, this.deps.setting(turn), deps),
      })),
    );
  }

  /** One run, from the stored history to its `end`. Never throws. */
  async *run(turn: Omit<Turn, "history">, row: TurnRow): AsyncGenerator<TurnEvent> {
    const asking: Asking = { squeeze: false, images: true, shown: false };
    const spent: Usage = { input: 0, output: 0, cacheRead: 0, cacheWrite: 0 };
    let answered = false;
    let partial = false;
    for (let again = false; ; again = true) {
      for await (const event of this.attempt(turn, row, asking)) {
        if (event.type === "end") {
          for (const key of Object.keys(spent) as (keyof Usage)[]) spent[key] += event.usage[key];
          const { error } = event;
          const tooLong = error?.code === "provider_context";
          if (tooLong && !asking.squeeze && !answered) asking.squeeze = true;
          else if (error && asking.images && asking.shown && !partial && mayBePictures(error))
            asking.images = false;
          else return yield { ...event, usage: spent };
          break;
        }
        answered ||= event.type === "message";
        partial ||= event.type === "message" && event.partial === true;
        // A later attempt is the same run; what the earlier one did is in the store.
        if (!(again && event.type === "start")) yield event;
      }
      yield { type: "restart" };
    }
  }

  private async *attempt(
    turn: Omit<Turn, "history">,
    row: TurnRow,
    asking: Asking,
  ): AsyncGenerator<TurnEvent> {
    const { clock } = this.deps;
    let prepared: Awaited<ReturnType<Conversations["prepare"]>>;
    try {
      prepared = await this.prepare(turn, row, asking);
    } catch (cause) {
      // The edge of a run: what cannot be prepared (workspace, model) is its answer.
      return yield* failedRun(toAppError(cause), clock);
    }
    yield* runTurn({ ...turn, history: prepared.history }, prepared.deps);
  }

  private settings(agentId: string): AgentSettings {
    return agentSettings(this.deps.config().agents, agentId, this.deps.paths);
  }

  private async prepare(turn: Omit<Turn, "history">, row: TurnRow, asking: Asking) {
    const { store, clock, log, jobs, paths } = this.deps;
    const config = this.deps.config();
    const session = await store.sessions.ensure(turn.sessionKey, turn.agentId, clock.now());
    const settings = this.settings(turn.agentId);
    const setting = this.deps.setting(row);
    const { wish } = row.inbound;
    const model = await this.deps.model(settings, session, session.settings.model);
    const tools = allowedTools(
      setting.messages ? TOOLS : TOOLS.filter((tool) => !tool.needsNetwork),
      ...policiesFor({
        tools: config.tools,
        agent: settings.entry?.tools,
        model: { provider: model.info.provider, model: model.info.id },
        group: setting.tools,
        // A list of what is allowed in the group counts, whoever asks there; one that only takes away opens nothing for guests.
        ...(setting.guest && !setting.tools?.allow?.length && { guest: GUEST_POLICY }),
        ...(isSubagent(turn.sessionKey) && { subagent: SUBAGENT_POLICY }),
      }),
    );
    const snapshot = await this.snapshots.get(settings, session, setting.guest);
    const parts = systemPrompt({
      mode: isSubagent(turn.sessionKey) ? "minimal" : "full",
      agentId: settings.id,
      name: settings.name,
      tools,
      workspace: settings.workspace,
      files: snapshot.text,
      timeZone: this.zone(settings),
      host: { os: process.platform, arch: process.arch },
    });
    const system = parts.map((part) => this.shared(part));
    const contextWindow = Math.min(
      model.info.contextWindow,
      settings.defaults.contextTokens ?? Infinity,
    );
    const specs = tools.map(toolSpec).map((spec) => JSON.stringify(spec));
    const full = messageRoom(
      { ...model.info, contextWindow },
      estimateTokens([...system, ...specs]),
    );
    const view = {
      images: model.info.input.includes("image"),
      resultChars: resultCharsFor(contextWindow),
    };
    const stored = await store.transcript.from(session.sessionId, session.contextFrom);
    const refused = await store.kv.get<number>(REFUSED_IMAGES, session.sessionId);
    const leftOut = asking.images ? refused : stored.at(-1)?.seq;
    const recent = lastTurns(stored, setting.historyTurns);
    const entries = leftOut === undefined ? recent : withoutImages(recent, leftOut);
    // A history that just filled its room is cut to half of it.
    const room = asking.squeeze ? Math.min(full, tokensOf(entries, view)) : full;
    const history = fitHistory(entries, room, view);
    if (history.contextFrom !== undefined)
      await store.sessions.setContextFrom(turn.sessionKey, session.sessionId, history.contextFrom);
    const { exec } = config.tools;
    return {
      history: history.messages,
      deps: {
        stream: watched(model, asking, () =>
          store.kv.set(REFUSED_IMAGES, session.sessionId, leftOut),
        ),
        system,
        tools,
        thinking: thinkingFor(settings, session, model.info, wish?.thinking),
        sessionId: session.sessionId,
        limits: {
          maxSteps: MAX_STEPS,
          timeoutMs: wish?.timeoutMs ?? settings.defaults.timeoutSeconds * 1000,
        },
        clock,
        view,
        room,
        tool: {
          workspace: settings.workspace,
          agentId: settings.id,
          sessionKey: turn.sessionKey,
          jobs,
          env: childEnv(this.deps.env().vars, config.env.vars),
          exec: { ...exec, yieldMs: exec.backgroundMs },
          denied: [paths.stateDir, paths.configPath],
          readable: [join(paths.stateDir, "media", "inbound")],
          workspaceOnly: setting.guest,
          messages: setting.messages,
          log: log.child("tools"),
        },
      },
    };
  }

  private zone({ defaults }: AgentSettings): string {
    return (
      defaults.userTimezone ?? (this.hostZone ??= Intl.DateTimeFormat().resolvedOptions().timeZone)
    );
  }

  /** The one instance of a text. */
  private shared(text: string): string {
    const known = this.prompts.get(text);
    if (known !== undefined) return known;
    if (this.prompts.size >= MAX_PROMPTS) this.prompts.clear();
    this.prompts.set(text, text);
    return text;
  }
}

/**
 * The model's stream, which notes whether the request has pictures. When the model takes a request without the pictures that it
 * had refused, `remember` is called once and the note for the conversation stands before the answer.
 */
function watched(
  { stream, info }: RunModel,
  asking: Asking,
  remember: () => Promise<void>,
): RunModel["stream"] {
  let told = asking.images;
  return async function* (request, signal) {
    asking.shown = hasImages(request.messages);
    let choice: ModelChoice = { provider: info.provider, model: info.id, ref: info.ref };
    for await (const event of stream(request, signal)) {
      if (event.type === "model") choice = event.choice;
      else if (!told && event.type !== "error" && event.type !== "restart") {
        told = true;
        await remember();
        yield { type: "model", choice, note: REFUSED_NOTE };
      }
      yield event;
    }
  };
}

/** The message's own wish, else the session's setting, else the agent's, else a little for models that can think. */
function thinkingFor(
  settings: AgentSettings,
  session: SessionRow,
  info: ModelInfo,
  wish?: Thinking,
): Thinking {
  if (!info.reasoning) return "off";
  return wish ?? session.settings.thinkingLevel ?? settings.thinking ?? "low";
}

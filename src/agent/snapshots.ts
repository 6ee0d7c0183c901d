/** The workspace as the sessions know it: part of a prompt that must not change while the session lasts. */
import { AppError } from "../base/errors.ts";
import type { Paths } from "../base/paths.ts";
import type { SessionKey } from "../flow.ts";
import { parseKey } from "../protocol/session-key.ts";
import type { SessionRow, Store } from "../store/store.ts";
import type { AgentSettings } from "./settings.ts";
import {
  changedFiles,
  prepareWorkspace,
  type SnapshotOptions,
  snapshotWorkspace,
  workspaceMark,
  type WorkspaceSnapshot,
} from "./workspace.ts";

/** Scope of the stored snapshots; the key is a session id, and one of its own for guests. */
const SNAPSHOT = "workspace-snapshot";
const MAX_LOOKS = 100;

export class Snapshots {
  /** The last look at each workspace; reading it again before every turn would cost more than the turn itself. */
  private readonly looks = new Map<string, { mark: string; snapshot: WorkspaceSnapshot }>();

  constructor(private readonly deps: { store: Store; paths: Paths }) {}

  /**
   * The workspace as it was when the session began: part of the prompt that must not change, so it is stored per session id.
   * @param guest nobody named who writes: what the files say of the owner is not for them
   */
  async get(
    settings: AgentSettings,
    session: SessionRow,
    guest: boolean,
  ): Promise<WorkspaceSnapshot> {
    const { store } = this.deps;
    const audience = audienceOf(session, guest);
    const stored = await store.kv.get<WorkspaceSnapshot>(SNAPSHOT, keyOf(session, audience));
    if (stored) return stored;
    await prepareWorkspace(settings.workspace, { skipBootstrap: settings.defaults.skipBootstrap });
    const fresh = await this.read(settings, audience);
    await store.kv.set(SNAPSHOT, keyOf(session, audience), fresh);
    return fresh;
  }

  /** Names of workspace files that changed since the model was last told of them; remembers that it is told now. */
  async changes(settings: AgentSettings, session: SessionRow, guest: boolean): Promise<string[]> {
    const { store } = this.deps;
    const audience = audienceOf(session, guest);
    const key = keyOf(session, audience);
    const stored = await store.kv.get<WorkspaceSnapshot>(SNAPSHOT, key);
    if (!stored) return [];
    let now: WorkspaceSnapshot;
    try {
      now = await this.read(settings, audience);
    } catch (cause) {
      // Expected: a folder that became unreadable. The message must be stored all the same; the tools will say what is wrong.
      if (cause instanceof AppError && cause.code === "workspace_failed") return [];
      throw cause;
    }
    const changed = changedFiles(stored, now);
    if (changed.length) await store.kv.set(SNAPSHOT, key, { ...stored, hashes: now.hashes });
    return changed;
  }

  private async read(settings: AgentSettings, audience: Audience): Promise<WorkspaceSnapshot> {
    const { bootstrapMaxChars, bootstrapTotalMaxChars } = settings.defaults;
    const key = [settings.workspace, audience, bootstrapMaxChars, bootstrapTotalMaxChars].join(
      "\n",
    );
    const mark = await workspaceMark(settings.workspace);
    const last = this.looks.get(key);
    if (last?.mark === mark) return last.snapshot;
    const snapshot = await snapshotWorkspace(settings.workspace, {
      fileChars: bootstrapMaxChars,
      totalChars: bootstrapTotalMaxChars,
      audience,
      denied: [this.deps.paths.stateDir, this.deps.paths.configPath],
    });
    if (this.looks.size >= MAX_LOOKS) this.looks.clear();
    this.looks.set(key, { mark, snapshot });
    return snapshot;
  }
}

type Audience = SnapshotOptions["audience"];

/** In a group everybody reads the answers, so it makes no difference who asks. */
function audienceOf({ key, chat }: SessionRow, guest: boolean): Audience {
  if (isSubagent(key)) return "subagent";
  if (chat !== "dm") return "shared";
  return guest ? "guest" : "private";
}

const keyOf = ({ sessionId }: SessionRow, audience: Audience): string =>
  audience === "guest" ? `${sessionId}/guest` : sessionId;

export const isSubagent = (key: SessionKey): boolean =>
  parseKey(key)?.rest.startsWith("subagent:") ?? false;

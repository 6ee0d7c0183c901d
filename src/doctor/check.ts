/**
 * One thing that can be wrong with an installation. A check looks and never changes anything; what it can put right is in the
 * finding, and only mend.ts does it. A new check is a file in checks/ and a line in registry.ts.
 */
import type { Env } from "../base/env.ts";
import type { Paths } from "../base/paths.ts";
import type { ChannelWarning } from "../channels/summary.ts";
import type { Change } from "../config/edit.ts";
import type { Loaded } from "../config/load.ts";
import type { Definition, Finding as ServiceFinding, ServiceState } from "../service/service.ts";

/** `critical`: others can get in, or data is at risk. `error`: it does not work. `warning`: it will not, or not well. `info`: good to know. */
export type Severity = "info" | "warning" | "error" | "critical";

/** From harmless to urgent. */
export const SEVERITIES: readonly Severity[] = ["info", "warning", "error", "critical"];

/**
 * What can be put right without a person's hands. `safe`: nothing changes but that it works, so `--fix` does it. `close`: strangers are
 * not answered any more, so a person says yes, or `security audit --fix`. `choice`: the owner notices it too, so only a person says
 * yes. `service`: replaces the background service, so a person says yes, or `--fix --force`.
 */
export type Fix = {
  kind: "safe" | "close" | "choice" | "service";
  /** What it does, as the words of a question without the question mark. */
  label: string;
  /** What is said when it is done. */
  done: string;
} & (
  | {
      /** Edits of the config file; all that are wanted are written together, and the former file stays beside it. */
      changes: readonly Change[];
    }
  | {
      /** Throws AppError, or the system's error; then nothing was changed. */
      run(): Promise<void>;
    }
);

export type Finding = {
  severity: Severity;
  /** What is so, and what follows from it. */
  message: string;
  /** The exact command or step that mends it. */
  fixHint?: string;
  /** A file, or a key of the config. */
  path?: string;
  /** Absent when only a person can do it. */
  fix?: Fix;
  /** Under which name and heading `security audit` tells it; absent when it has nothing to do with security. */
  audit?: { id: string; title: string };
};

/** The running gateway as a check sees it; undefined when none answers. */
export type Running = {
  version: string;
  /** What it says of its chat channels; absent when it could not be asked. */
  channelWarnings?: readonly ChannelWarning[];
  /** How far its clock is ahead of ours, in ms. */
  aheadMs?: number;
  /** Whether it takes the secret that a client on this machine would send over TCP; absent when that was not tried. */
  takesSecret?: boolean;
};

/** What a check may look at. Everything is read before the first check runs, so that checks stay quick and tell one story. */
export type Scene = {
  env: Env;
  paths: Paths;
  /** The config as it is on the disk; unset variables are no errors here. */
  loaded: Loaded;
  /** The command's name with its profile, for lines to copy: `clawdbot --profile work`. */
  command: string;
  /** Epoch ms. */
  now: number;
  /** Also what takes long: the whole database, the networks. */
  deep: boolean;
  /** Tips about the workspace are wanted. */
  suggestions: boolean;
  running: Running | undefined;
  /** What the supervisor and the service's file say; empty where there is no supervisor. */
  service: {
    state?: ServiceState;
    definition?: Definition;
    findings: ServiceFinding[];
    /** Names of services that an older version of the program left. */
    older: string[];
    /** `gateway install --force`, and `gateway start`; absent where there is no supervisor. */
    reinstall?: () => Promise<void>;
    start?: () => Promise<void>;
  };
};

export type Check = {
  /** Stable name, kebab-case; for `--json`, `--only` and `--skip`. */
  id: string;
  /** Heading of its findings, two or three words. */
  title: string;
  /** Nothing found: an empty list. Throwing is a bug of the check; it becomes a finding. */
  run(scene: Scene): Promise<Finding[]>;
};

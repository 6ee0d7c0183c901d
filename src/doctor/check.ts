/**
 * One thing that can be wrong with an installation. A check looks and never changes anything; what it can put right is in the
 * finding, and only `doctor --fix` does it. A new check is a file in checks/ and a line in registry.ts.
 */
import type { Env } from "../base/env.ts";
import type { Paths } from "../base/paths.ts";
import type { ChannelWarning } from "../channels/summary.ts";
import type { Loaded } from "../config/load.ts";
import type { Finding as ServiceFinding, ServiceState } from "../service/service.ts";

/** `critical`: others can get in, or data is at risk. `error`: it does not work. `warning`: it will not, or not well. `info`: good to know. */
export type Severity = "info" | "warning" | "error" | "critical";

export type Finding = {
  severity: Severity;
  /** What is so, and what follows from it. */
  message: string;
  /** The exact command or step that mends it. */
  fixHint?: string;
  /** A file, or a key of the config. */
  path?: string;
  /** What `doctor --fix` does; gives a sentence about what it did. Absent when only a person can do it. */
  fix?: () => Promise<string>;
};

/** The running gateway as a check sees it; undefined when none answers. */
export type Running = {
  version: string;
  /** What it says of its chat channels; absent when it could not be asked. */
  channelWarnings?: readonly ChannelWarning[];
};

/** What a check may look at. Everything is read before the first check runs, so that checks stay quick and tell one story. */
export type Scene = {
  env: Env;
  paths: Paths;
  /** The config as it is on the disk; unset variables are no errors here. */
  loaded: Loaded;
  /** The command's name with its profile, for lines to copy: `clawdbot --profile work`. */
  command: string;
  running: Running | undefined;
  /** What the supervisor and the service's file say; empty where there is no supervisor. */
  service: {
    state?: ServiceState;
    findings: ServiceFinding[];
    /** Names of services that an older version of the program left. */
    older: string[];
  };
};

export type Check = {
  /** Stable name, kebab-case; for `--json`. */
  id: string;
  /** Heading of its findings, two or three words. */
  title: string;
  /** Nothing found: an empty list. Throwing is a bug of the check; it becomes a finding. */
  run(scene: Scene): Promise<Finding[]>;
};

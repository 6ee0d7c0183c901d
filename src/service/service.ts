/**
 * The gateway as a background service of the operating system: systemd, launchd, or the Windows task scheduler. This file says what
 * every manager can do; registry.ts picks one; actions.ts puts them together to what `gateway install` and the others do.
 * A manager only talks to the system: it never asks whether the gateway is healthy, and prints nothing.
 */

/** What is to run. */
export type Wanted = {
  /** Absent: the default one. */
  profile?: string;
  /** The program, as an absolute path, and its arguments. */
  command: string[];
  workingDirectory: string;
  /** Never a secret: the file may be read by everybody. */
  environment: Record<string, string>;
  /** Of the secrets; need not exist. */
  environmentFile: string;
  /** Whose service it is; only a system-wide one names it. */
  user?: string;
};

/** A service as its file describes it. */
export type Definition = {
  /** Program first. Empty when there is none, or when the file cannot be read. */
  command: string[];
  workingDirectory?: string;
  environment: Record<string, string>;
  /** The file. */
  source: string;
  /** Settings of the supervisor under its own names (`Restart`, `KeepAlive`), the last value of each. */
  settings: Record<string, string>;
};

export type ServiceState = {
  /** Its file is there. */
  installed: boolean;
  /** It starts by itself with the machine or the session. */
  enabled: boolean;
  running: boolean;
  /** In the supervisor's words: `active (running)`. */
  detail: string;
  pid?: number;
  /** How often the supervisor has started it again. */
  restarts?: number;
  lastExit?: { code?: number; signal?: string; at?: string };
  /** It goes on when its user is not logged in. Only where that is a question. */
  linger?: boolean;
  /** Why the supervisor cannot be asked, and what to do. */
  obstacle?: Obstacle;
};

/** Why there can be no service here; `message` in the user's words, `hint` with the command to run. */
export type Obstacle = {
  message: string;
  hint: string;
  /** The supervisor does not run at all, and `gateway install` cannot change that. */
  final?: true;
};

/** What is wrong with an installed service; all of it is repaired by `gateway install --force`. */
export type Finding = {
  /** As in the original, where it has one for the same thing. */
  code: string;
  message: string;
};

/** A service of another name that an older version of the program left. */
export type OlderService = {
  name: string;
  /** Absent: it is known to the supervisor, but its file is gone. */
  definition?: Definition;
};

export interface ServiceManager {
  /** What the gateway finds in CLAWDBOT_SERVICE_MARKER. */
  readonly marker: string;
  /** How people call the supervisor: `systemd`, `LaunchAgent`, `Scheduled Task`. */
  readonly label: string;
  /** For "it starts by itself" and for the opposite. */
  readonly words: { loaded: string; notLoaded: string };
  /** Of the service, as the supervisor's own commands take it. */
  readonly name: string;
  /** Where its file is or would be. */
  readonly source: string;
  /** Commands for a person: to see its state, and its log. */
  readonly advice: { state: string; log: string };
  /** Why the supervisor cannot be used here. Changes nothing. */
  obstacle(): Promise<Obstacle | undefined>;
  /**
   * Makes the supervisor ready to be used: a user's systemd may have to be started. Gives lines for the person. Throws
   * service_failed with the obstacle when it cannot be.
   */
  prepare(): Promise<string[]>;
  /** Undefined when it is not installed. */
  read(): Promise<Definition | undefined>;
  /** Whether the installed service is exactly this one. Throws usage for a value that no service can hold. */
  upToDate(wanted: Wanted): Promise<boolean>;
  /** Writes the file, and has the service start with the machine or the session from now on. The former file is back when it throws. */
  install(wanted: Wanted): Promise<void>;
  /** Ends it and removes what `install` made. False when there was nothing. */
  uninstall(): Promise<boolean>;
  start(): Promise<void>;
  /** Until `start` or the next boot or login. */
  stop(): Promise<void>;
  restart(): Promise<void>;
  /** Never throws for a supervisor that cannot be asked. */
  state(): Promise<ServiceState>;
  /** What the audit finds that only this supervisor can have. */
  audit(definition: Definition): Finding[];
  /** Services of older names for the same profile. */
  older(): Promise<OlderService[]>;
  /** Ends it, keeps it from starting again, and moves its file into `folder`. Gives the new path. */
  retire(older: OlderService, folder: string): Promise<string | undefined>;
  /** The last lines that it has written; empty when nobody keeps them. */
  logs(count: number): Promise<string[]>;
}

/** What a manager is made with. */
export type Surroundings = {
  /** Of this process; children get the harmless ones of it. */
  vars: Readonly<Record<string, string | undefined>>;
  home: string;
  stateDir: string;
  profile: string | undefined;
  /** Absent on Windows. */
  uid: number | undefined;
  /** The gateway's lock, as the only sign of life where the supervisor tells none. Gives its pid. */
  running(): number | undefined;
};

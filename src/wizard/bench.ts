/** What a set-up may touch where it runs. The command line fills it with the files, the gateway with its running config. */
import type { Env } from "../base/env.ts";
import type { Paths } from "../base/paths.ts";
import type { NetworkId } from "../channels/registry.ts";
import type { Change } from "../config/edit.ts";
import type { Config } from "../config/schema.ts";
import type { Guide, Shown } from "./guide.ts";

export type Place = { channel: NetworkId; account: string };

export interface Bench {
  /** How a person calls the program, for lines to copy: `clawdbot --profile work`. */
  readonly program: string;
  readonly paths: Paths;
  /** As it is now: the process's, with `.env` of the state folder and the config's `env`. Read at every use. */
  env(): Env;
  config(): Config;
  /** Changes the config file, all of it or nothing, and reads file and `.env` again. Throws what writing a config throws. */
  edit(changes: readonly Change[]): Promise<void>;
  /** Called with every secret before it is used, so that no log shows it. */
  learn(secret: string): void;
  /** Links a phone. Gives the last words of the sign-in; throws what ended it. */
  link(at: Place, show: (step: Shown) => void, signal: AbortSignal): Promise<string>;
}

/** Whom a step asks. `asks` is false where nobody sits: then the step does with what it was told, and throws usage when that is not enough. */
export type Asked = { guide: Guide; asks: boolean };

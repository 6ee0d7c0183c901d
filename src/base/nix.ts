/**
 * Nix mode: program, config and service come from a Nix configuration, so this program changes none of them itself. Whatever would
 * change one calls `refuseInNixMode` first; whatever tells about a missing command adds `missingCommandHint`.
 */
import { PRODUCT } from "./brand.ts";
import { type Env, envName } from "./env.ts";
import { AppError } from "./errors.ts";

const APPLY = "run `home-manager switch` (on NixOS `sudo nixos-rebuild switch`)";
const OPTION = (name: string) =>
  `\`programs.${PRODUCT}.${name}\` (on NixOS \`services.${PRODUCT}.${name}\`)`;

const TOOLS = `\`programs.${PRODUCT}.tools\``;

/** What Nix owns: what is refused, and where it is changed instead. */
const OWNED = {
  config: {
    refusal: "This config is made by Nix, so it is not changed here.",
    fix: `Change ${OPTION("config")} in your Nix configuration, then ${APPLY}; \`home-manager switch --rollback\` goes back.`,
  },
  service: {
    refusal: "The service is made by Nix, so it is neither installed nor removed here.",
    fix: `Change ${OPTION("enable")} in your Nix configuration, then ${APPLY}.`,
  },
} as const satisfies Record<string, { refusal: string; fix: string }>;

export type OwnedByNix = keyof typeof OWNED;

/**
 * Throws forbidden, with the place in the Nix configuration as the hint, when Nix mode is on; does nothing otherwise. Called by every
 * command that would write the config (`config`), or put in place or remove the service (`service`). Starting and stopping the
 * service is not refused.
 */
export function refuseInNixMode(env: Pick<Env, "nixMode">, what: OwnedByNix): void {
  if (!env.nixMode) return;
  const { refusal, fix } = OWNED[what];
  throw new AppError("forbidden", refusal, {
    hint: `${fix} (${envName("NIX_MODE")} is set.)`,
  });
}

/** Where in the Nix configuration something is changed, for a hint; undefined when Nix mode is off. */
export const nixFix = (env: Pick<Env, "nixMode">, what: OwnedByNix): string | undefined =>
  env.nixMode ? OWNED[what].fix : undefined;

/** What Nix mode refuses, by the words of the command. */
const REFUSED: Record<string, OwnedByNix> = {
  "channels add": "config",
  "channels remove": "config",
  "config set": "config",
  onboard: "config",
  setup: "config",
  configure: "config",
  "gateway install": "service",
};
const WORDS = Object.keys(REFUSED).join("|");

/** A hint with what to do in place of a command that is refused in Nix mode. Called where errors and findings are shown to people. */
export function hintInNixMode(
  env: Pick<Env, "nixMode">,
  hint: string | undefined,
): string | undefined {
  const named = hint && new RegExp(`${PRODUCT} (?:--profile \\S+ )?(${WORDS})\\b`).exec(hint);
  if (!env.nixMode || !named) return hint;
  const [words, refused = ""] = named;
  const { fix } = OWNED[REFUSED[refused]!];
  return hint.startsWith(words) ? fix : `${hint} With Nix \`${refused}\` is refused: ${fix}`;
}

/** The command that a shell did not find, by the end of what it printed; undefined when it does not say so. */
export function missingCommandIn(output: string): string | undefined {
  const end = output.slice(-2000);
  const match =
    /(?:^|[\s:])(\w[\w.+@-]*): (?:command )?not found\s*$/m.exec(end) ??
    /command not found: (\w[\w.+@-]*)\s*$/m.exec(end);
  return match?.[1];
}

/** What to do in Nix mode about a command that is not there; undefined when Nix mode is off. `command` is its bare name. */
export function missingCommandHint(env: Pick<Env, "nixMode">, command: string): string | undefined {
  if (!env.nixMode) return undefined;
  return `Add its package, perhaps pkgs.${command}, to ${TOOLS} in your Nix configuration, then run \`home-manager switch\`. To find it: nix search nixpkgs ${command}`;
}

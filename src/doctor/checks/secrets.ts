/** One secret, many places: which of them counts, and which of them says something else ("token mismatch"). */
import { parseEnvFile, serviceEnvPath } from "../../base/env-file.ts";
import { spellings } from "../../base/env.ts";
import { readDotEnv } from "../../config/load.ts";
import { isRecord, valueAt } from "../../config/path.ts";
import { readSource } from "../../config/source.ts";
import { peekGeneratedToken, secretFor } from "../../gateway/secret.ts";
import type { Check, Finding, Scene } from "../check.ts";

type Kind = "token" | "password";
/** Where a secret stands; the value never leaves this file. */
type Source = { place: string; value: string };

const VARIABLE = { token: "GATEWAY_TOKEN", password: "GATEWAY_PASSWORD" } as const;

/** All places that have one, in the order in which they count. */
async function sourcesOf(kind: Kind, { env, paths, loaded, service }: Scene): Promise<Source[]> {
  const names = spellings(VARIABLE[kind]);
  const inVariables = (vars: Record<string, string | undefined>, where: string): Source[] =>
    names.flatMap((name) => {
      const value = vars[name]?.trim();
      return value ? [{ place: `${name} in ${where}`, value }] : [];
    });
  const file = serviceEnvPath(paths.stateDir);
  const [carried, dotEnv] = await Promise.all([readSource(file), readDotEnv(paths.stateDir)]);
  const serviceVars = carried.kind === "text" ? parseEnvFile(carried.doc.text) : {};
  const section = isRecord(loaded.filled) ? loaded.filled["env"] : undefined;
  const own = isRecord(section) ? { ...section, ...vars(section["vars"]) } : {};
  const typed = flagOf(service.definition?.command ?? [], kind);
  const configured = loaded.config?.gateway.auth[kind]?.trim();
  return [
    ...(typed ? [{ place: `--${kind} in the service's command`, value: typed }] : []),
    ...inVariables(service.definition?.environment ?? {}, "the service's file"),
    ...inVariables(env.vars, "the environment"),
    ...inVariables(serviceVars, file),
    ...inVariables(dotEnv.vars, `${paths.stateDir}/.env`),
    ...inVariables(vars(own), "the config's env section"),
    ...(configured ? [{ place: `gateway.auth.${kind} in the config`, value: configured }] : []),
  ];
}

const vars = (value: unknown): Record<string, string> =>
  Object.fromEntries(
    Object.entries(isRecord(value) ? value : {}).filter(
      (entry): entry is [string, string] => typeof entry[1] === "string",
    ),
  );

function flagOf(command: readonly string[], kind: Kind): string | undefined {
  const at = command.indexOf(`--${kind}`);
  return at >= 0
    ? command[at + 1]
    : command.find((word) => word.startsWith(`--${kind}=`))?.slice(kind.length + 3);
}

/** The secret that a gateway started from here, now, would use. */
function usedSecret(kind: Kind, { loaded, paths }: Scene): string | undefined {
  if (!loaded.config) return undefined;
  const auth = secretFor(loaded.config, {}, loaded.env, peekGeneratedToken(paths.stateDir));
  return auth.mode === kind ? auth[kind] : undefined;
}

const list = (places: readonly string[]): string =>
  places.length < 3
    ? places.join(" and ")
    : `${places.slice(0, -1).join(", ")} and ${places.at(-1)}`;

async function differing(kind: Kind, scene: Scene): Promise<Finding[]> {
  const sources = await sourcesOf(kind, scene);
  if (new Set(sources.map(({ value }) => value)).size < 2) return [];
  const used = usedSecret(kind, scene);
  const counts = sources.find(({ value }) => value === used);
  const places = [...new Set(sources.map(({ place }) => place))];
  const key = `gateway.auth.${kind}`;
  const inConfig = sources.find(({ place }) => place.startsWith(key));
  const loses = inConfig !== undefined && used !== undefined && inConfig.value !== used;
  const written = valueAt(scene.loaded.parsed, key.split(".")) !== undefined;
  return [
    {
      severity: "warning",
      message: `The gateway's ${kind}s in ${list(places)} differ.${counts ? ` For a gateway started here ${counts.place} counts; w` : " W"}hoever reads another one is refused (token mismatch).`,
      fixHint:
        loses && written
          ? `${scene.command} config unset ${key}`
          : "Keep one of them, remove the others, and restart the gateway.",
      ...(loses && { path: key }),
      ...(loses &&
        written && {
          fix: {
            kind: "choice" as const,
            label: `Remove ${key} from the config, where it does not count`,
            done: `${key} is not in the config any more.`,
            changes: [{ kind: "unset" as const, path: key.split(".") }],
          },
        }),
    },
  ];
}

export const secretsCheck: Check = {
  id: "token-mismatch",
  title: "Token",
  async run(scene) {
    const found = [...(await differing("token", scene)), ...(await differing("password", scene))];
    if (scene.running?.takesSecret === false)
      found.push({
        severity: "error",
        message:
          "The running gateway refuses the secret that stands in the files: it was started with another one, by a flag or a variable of its own. Browsers and apps that use the one from the files are turned away (token mismatch).",
        fixHint: `${scene.command} gateway restart`,
        path: "gateway.auth",
      });
    return found;
  },
};

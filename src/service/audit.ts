/** What is wrong with an installed service that does not depend on the supervisor. Repaired by `gateway install --force`. */
import { existsSync } from "node:fs";

import { isSecretName } from "../base/env.ts";
import { realPathOf } from "../base/fs.ts";
import { requiredPaths } from "./environment.ts";
import type { Definition, Finding } from "./service.ts";

export type AuditFacts = {
  /** The words before `gateway` as they would be now. */
  program: string[];
  /** That the config file names on purpose. */
  port?: number;
  platform: NodeJS.Platform;
};

/** Folders of version managers: a service that has them on its PATH changes with every `nvm use`. */
const MANAGED =
  /\/\.(?:nvm|fnm|volta|asdf|nodenv|n|nodebrew|local\/share\/mise)(?:\/|$)|\/node_modules\/\.bin$/;

/** Words that start the gateway, with what stands before them. Undefined when the service starts something else. */
export function splitCommand(command: string[]): { program: string[]; args: string[] } | undefined {
  const at = command.lastIndexOf("gateway");
  if (at < 1) return undefined;
  return { program: command.slice(0, at), args: command.slice(at + 1) };
}

/** The port that a service's command names. */
export function portOf(command: string[]): number | undefined {
  const at = command.indexOf("--port");
  const text =
    at >= 0 ? command[at + 1] : command.find((word) => word.startsWith("--port="))?.slice(7);
  return text && /^\d{1,5}$/.test(text) ? Number(text) : undefined;
}

export function auditCommon(definition: Definition, facts: AuditFacts): Finding[] {
  const found: Finding[] = [];
  const say = (code: string, message: string) => found.push({ code, message });
  const parts = splitCommand(definition.command);
  if (!parts)
    say("gateway-command-missing", "The service does not start the gateway; it may be damaged.");
  else {
    const problem = programProblem(parts.program, facts.program);
    if (problem) say("gateway-entrypoint-mismatch", problem);
  }
  auditPath(definition.environment["PATH"], facts.platform, say);
  const secrets = Object.keys(definition.environment).filter(isSecretName);
  const flags = definition.command.filter((word) => /^--(?:token|password)(?:=|$)/.test(word));
  if (secrets.length + flags.length > 0)
    say(
      "gateway-token-embedded",
      `Secrets stand in the service's file, where others may read them: ${[...secrets, ...flags].map((word) => word.split("=")[0]).join(", ")}.`,
    );
  const port = portOf(definition.command);
  if (port !== undefined && facts.port !== undefined && port !== facts.port)
    say(
      "gateway-port-mismatch",
      `The service uses port ${port}, the config says ${facts.port} (gateway.port).`,
    );
  return found;
}

function programProblem(now: string[], wanted: string[]): string | undefined {
  const gone = now.find((word) => word.startsWith("/") && !existsSync(word));
  if (gone) return `The service starts ${gone}, which is not there any more.`;
  const real = (words: string[]) => words.map((word) => realPathOf(word)).join("\n");
  if (real(now) === real(wanted)) return undefined;
  return `The service starts ${now.join(" ")}, but this is ${wanted.join(" ")}.`;
}

function auditPath(
  path: string | undefined,
  platform: NodeJS.Platform,
  say: (code: string, message: string) => void,
): void {
  const required = requiredPaths(platform);
  if (required.length === 0) return;
  if (!path) return say("gateway-path-missing", "The service has no PATH; commands are not found.");
  const dirs = path.split(":");
  const missing = required.filter((dir) => !dirs.includes(dir));
  if (missing.length > 0)
    say("gateway-path-missing-dirs", `The service's PATH lacks ${missing.join(", ")}.`);
  const managed = dirs.filter((dir) => MANAGED.test(dir));
  if (managed.length > 0)
    say(
      "gateway-path-nonminimal",
      `The service's PATH has folders of a version manager: ${managed.join(", ")}.`,
    );
}

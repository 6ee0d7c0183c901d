/** What `gateway install` and `gateway uninstall` do, step by step, whatever the supervisor. Prints nothing. */
import { join } from "node:path";

import { auditCommon, type AuditFacts } from "./audit.ts";
import { carriedFromFile, carry, dropCarried } from "./environment.ts";
import { failure } from "./obstacles.ts";
import { copyAside } from "./service-file.ts";
import type { Definition, Finding, OlderService, ServiceManager, Wanted } from "./service.ts";

export type InstallRequest = {
  wanted: Wanted;
  stateDir: string;
  /** For `gateway.env`. */
  variables: Record<string, string>;
  force: boolean;
  facts: AuditFacts;
  /** When every file is written and nothing is started yet. */
  beforeStart(): void;
};

export type Installed = {
  result: "installed" | "already-installed";
  /** The service was started (again), so it has to become healthy. */
  started: boolean;
  notes: string[];
  warnings: string[];
  /** Of the service that was found and left as it is. */
  findings: Finding[];
};

/** Files of replaced and retired services are kept here. */
export const backupFolder = (stateDir: string): string => join(stateDir, "backups", "services");

/**
 * Installs the service and starts it; an older version's service is stopped and its file kept. A service that is there already stays as
 * it is without `force`, but is started and gets new secrets. Everything that can fail for the new one comes before anything is
 * taken from the old. Throws AppError (service_failed, disk_full, usage).
 */
export async function installService(
  manager: ServiceManager,
  { wanted, stateDir, variables, force, facts, beforeStart }: InstallRequest,
): Promise<Installed> {
  const notes = await manager.prepare();
  const warnings: string[] = [];
  const current = await manager.read();
  const older = await manager.older();
  const same = current !== undefined && (await manager.upToDate(wanted));
  const replacing = !current || force;

  const inherited = [...older.map((each) => each.definition), replacing ? current : undefined]
    .flatMap((definition) => (definition ? [carriedFromFile(definition.environment)] : []))
    .reduceRight((all, each) => ({ ...all, ...each }), {});
  const carried = await carry(stateDir, { ...inherited, ...variables });
  if (carried.changed.length > 0)
    notes.push(
      `Copied into ${carried.path} (readable by you alone): ${carried.changed.join(", ")}`,
    );
  for (const name of carried.refused)
    warnings.push(`${name} was not copied: its value has a line end. Put it into the config.`);

  if (!replacing) {
    const findings = same ? [] : auditService(manager, current, facts);
    const state = await manager.state();
    if (!state.enabled && same) await manager.install(wanted);
    await retireAll(manager, older, stateDir, notes);
    beforeStart();
    const started = !state.running || carried.changed.length > 0;
    if (started) await (state.running ? manager.restart() : manager.start());
    return { result: "already-installed", started, notes, warnings, findings };
  }

  if (current && !same) {
    const kept = await copyAside(current.source, backupFolder(stateDir));
    notes.push(`The service's former file is kept: ${kept}`);
  }
  await manager.install(wanted);
  await retireAll(manager, older, stateDir, notes);
  beforeStart();
  await manager.restart();
  return { result: "installed", started: true, notes, warnings, findings: [] };
}

export const auditService = (
  manager: ServiceManager,
  definition: Definition,
  facts: AuditFacts,
): Finding[] => [...auditCommon(definition, facts), ...manager.audit(definition)];

async function retireAll(
  manager: ServiceManager,
  older: OlderService[],
  stateDir: string,
  notes: string[],
): Promise<void> {
  for (const each of older) {
    const kept = await manager.retire(each, backupFolder(stateDir));
    notes.push(
      `Stopped ${each.name}, the service of an older version.${kept ? ` Its file is kept: ${kept}` : ""}`,
    );
  }
}

/** False when there was no service. What `install` copied into `gateway.env` goes too; state, config and logs stay. */
export async function uninstallService(
  manager: ServiceManager,
  stateDir: string,
): Promise<boolean> {
  const obstacle = await manager.obstacle();
  const current = await manager.read();
  if (obstacle && current) throw failure(obstacle);
  const removed = !obstacle && (await manager.uninstall());
  await dropCarried(stateDir);
  return removed;
}

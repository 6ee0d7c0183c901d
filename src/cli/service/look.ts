/** Looks at the service without changing anything; for `gateway status` and `doctor`. */
import { auditService } from "../../service/actions.ts";
import type { Definition, Finding, ServiceState } from "../../service/service.ts";
import type { Settings } from "../settings.ts";
import { auditFacts, type Service } from "./service.ts";

export type Look = {
  state?: ServiceState;
  definition?: Definition;
  findings: Finding[];
  older: string[];
};

export async function lookAtService({ cli, manager }: Service, settings: Settings): Promise<Look> {
  if (!manager) return { findings: [], older: [] };
  const state = await manager.state();
  const definition = await manager.read();
  const findings = definition ? auditService(manager, definition, auditFacts(cli, settings)) : [];
  if (definition && !state.enabled && !state.obstacle)
    findings.push({
      code: "service-not-enabled",
      message: "The service does not start with the machine.",
    });
  const older = (await manager.older()).map(({ name }) => name);
  return { state, findings, older, ...(definition && { definition }) };
}

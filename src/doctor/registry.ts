/** All checks, in the order in which their findings are shown: what keeps it from starting first. */
import type { Check } from "./check.ts";
import { secretCheck } from "./checks/access.ts";
import { channelCheck, outboxCheck, pairingCheck } from "./checks/channels.ts";
import { gatewayCheck, installCheck } from "./checks/gateway.ts";
import { modelCheck } from "./checks/model.ts";
import { serviceCheck } from "./checks/service.ts";
import { configCheck, modeCheck } from "./checks/settings.ts";
import { diskCheck, stateCheck } from "./checks/state.ts";
import { workspaceCheck } from "./checks/workspace.ts";

export const CHECKS: readonly Check[] = [
  stateCheck,
  diskCheck,
  configCheck,
  modeCheck,
  secretCheck,
  gatewayCheck,
  serviceCheck,
  installCheck,
  modelCheck,
  channelCheck,
  outboxCheck,
  pairingCheck,
  workspaceCheck,
];

/** All checks, in the order in which their findings are shown: what keeps it from starting first. */
import type { Check } from "./check.ts";
import { secretCheck } from "./checks/access.ts";
import { channelCheck, outboxCheck, pairingCheck } from "./checks/channels.ts";
import { clockCheck } from "./checks/clock.ts";
import { copiesCheck, databaseCheck } from "./checks/database.ts";
import { diskCheck } from "./checks/disk.ts";
import { stateCheck } from "./checks/files.ts";
import { gatewayCheck, installCheck, programCheck } from "./checks/gateway.ts";
import { legacyCheck } from "./checks/legacy.ts";
import { modelCheck } from "./checks/model.ts";
import { peopleCheck } from "./checks/people.ts";
import { sandboxCheck } from "./checks/sandbox.ts";
import { secretsCheck } from "./checks/secrets.ts";
import { serviceCheck } from "./checks/service.ts";
import { configCheck, keysCheck, modeCheck } from "./checks/settings.ts";
import { workspaceCheck } from "./checks/workspace.ts";

export const CHECKS: readonly Check[] = [
  stateCheck,
  diskCheck,
  databaseCheck,
  copiesCheck,
  clockCheck,
  legacyCheck,
  configCheck,
  keysCheck,
  modeCheck,
  secretCheck,
  secretsCheck,
  gatewayCheck,
  serviceCheck,
  installCheck,
  programCheck,
  sandboxCheck,
  modelCheck,
  channelCheck,
  peopleCheck,
  outboxCheck,
  pairingCheck,
  workspaceCheck,
];

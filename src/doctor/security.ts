/** The checks that `security audit` runs, without those that need the model catalog: `status` shows their summary too. */
import type { Check } from "./check.ts";
import { secretCheck } from "./checks/access.ts";
import { copiesCheck } from "./checks/database.ts";
import { diskCheck } from "./checks/disk.ts";
import { stateCheck } from "./checks/files.ts";
import { installCheck, programCheck } from "./checks/gateway.ts";
import { peopleCheck } from "./checks/people.ts";
import { sandboxCheck } from "./checks/sandbox.ts";
import { serviceCheck } from "./checks/service.ts";
import { storedSecretsCheck } from "./checks/stored.ts";
import { surfaceCheck, tierCheck } from "./checks/surface.ts";

export const SECURITY: readonly Check[] = [
  secretCheck,
  peopleCheck,
  stateCheck,
  storedSecretsCheck,
  sandboxCheck,
  serviceCheck,
  programCheck,
  installCheck,
  diskCheck,
  copiesCheck,
  tierCheck,
  surfaceCheck,
];

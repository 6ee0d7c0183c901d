/** What `connect` may carry: the union of all client generations. Closed, so that a typing error is told instead of ignored. */
import { z } from "zod";

const PRODUCTS = ["clawdbot", "moltbot", "openclaw"] as const;
const SUFFIXES = [
  "control-ui",
  "macos",
  "ios",
  "android",
  "probe",
  "tui",
  "browser-copilot",
  "linux",
  "watchos",
  "worker",
] as const;
const CLIENT_IDS = [
  "webchat-ui",
  "webchat",
  "cli",
  "gateway-client",
  "node-host",
  "test",
  "fingerprint",
  ...PRODUCTS.flatMap((product) => SUFFIXES.map((suffix) => `${product}-${suffix}`)),
] as const;
const MODES = ["webchat", "cli", "ui", "backend", "node", "probe", "test", "worker"] as const;

const text = z.string().max(4_096);
const filled = z.string().min(1).max(256);
/** Longest list of words; more than a person's client ever has, less than what hurts. */
const list = z.array(z.string().max(256)).max(20_000);

export const ConnectParams = z.strictObject({
  minProtocol: z.int().min(1),
  maxProtocol: z.int().min(1),
  client: z.strictObject({
    id: z.enum(CLIENT_IDS as unknown as [string, ...string[]]),
    version: filled,
    platform: filled,
    mode: z.enum(MODES),
    displayName: filled.optional(),
    deviceFamily: filled.optional(),
    modelIdentifier: filled.optional(),
    instanceId: filled.optional(),
    buildId: z.string().max(96).optional(),
    timeZone: z.string().max(64).optional(),
  }),
  caps: list.optional(),
  commands: list.optional(),
  permissions: z.record(z.string(), z.boolean()).optional(),
  pathEnv: z.string().max(32_768).optional(),
  role: filled.optional(),
  scopes: list.optional(),
  device: z
    .strictObject({
      id: filled,
      publicKey: z.string().min(1).max(1_024),
      signature: z.string().min(1).max(1_024),
      signedAt: z.int().min(0),
      nonce: z.string().max(256).optional(),
    })
    .optional(),
  auth: z
    .strictObject({
      token: text.optional(),
      password: text.optional(),
      bootstrapToken: text.optional(),
      deviceToken: text.optional(),
      approvalRuntimeToken: text.optional(),
      agentRuntimeIdentityToken: text.optional(),
    })
    .optional(),
  locale: z.string().max(64).optional(),
  userAgent: z.string().max(1_024).optional(),
  computerUse: z.unknown().optional(),
  workerRuns: z.unknown().optional(),
  modelCatalog: z.unknown().optional(),
});
export type ConnectParams = z.infer<typeof ConnectParams>;

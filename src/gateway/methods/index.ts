/** Every method of the gateway. The keys are the names on the wire; the order is that of hello-ok's feature list. */
import { agent } from "./agent.ts";
import { channels } from "./channels.ts";
import { chat } from "./chat.ts";
import { commands } from "./commands.ts";
import { config } from "./config.ts";
import { health } from "./health.ts";
import { logs } from "./logs.ts";
import { messages } from "./messages.ts";
import { models } from "./models.ts";
import { pairing } from "./pairing.ts";
import { sessions } from "./sessions.ts";
import { status } from "./status.ts";
import { system } from "./system.ts";
import { usage } from "./usage.ts";
import { wizard } from "./wizard.ts";

export const methods = {
  ...health,
  ...logs,
  ...status,
  ...usage,
  ...channels,
  ...pairing,
  ...config,
  ...models,
  ...sessions,
  ...system,
  ...agent,
  ...chat,
  ...commands,
  ...messages,
  ...wizard,
};
export type Methods = typeof methods;

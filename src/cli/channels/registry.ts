/** The commands about chat channels and the people in them: one row each, loaded when it is called. */
import type { CommandRow } from "../command.ts";

export const CHANNEL_COMMANDS: Record<string, CommandRow> = {
  channels: {
    doc: "Chat networks: add, look at, sign in, remove.",
    load: async () => (await import("../commands/channels.ts")).channels,
  },
  "channels list": {
    doc: "List the accounts of the config.",
    load: async () => (await import("../commands/channels.ts")).list,
  },
  "channels status": {
    doc: "How every account is.",
    load: async () => (await import("../commands/channels.ts")).status,
  },
  "channels capabilities": {
    doc: "What each account can do.",
    load: async () => (await import("../commands/channels-ask.ts")).capabilities,
  },
  "channels resolve": {
    doc: "What names and numbers stand for on a network.",
    load: async () => (await import("../commands/channels-ask.ts")).resolve,
  },
  "channels logs": {
    doc: "Lines of the log about channels.",
    load: async () => (await import("../commands/channels.ts")).logs,
  },
  "channels add": {
    doc: "Add an account of a chat network.",
    load: async () => (await import("../commands/channels-add.ts")).add,
  },
  "channels remove": {
    doc: "Switch an account off, or take it out of the config.",
    load: async () => (await import("../commands/channels-add.ts")).remove,
  },
  "channels login": {
    doc: "Link an account with the phone.",
    load: async () => (await import("../commands/channels-login.ts")).login,
  },
  "channels logout": {
    doc: "Sign an account out.",
    load: async () => (await import("../commands/channels-login.ts")).logout,
  },
  pairing: {
    doc: "Let people in who wrote to a bot, or turn them away.",
    load: async () => (await import("../commands/pairing.ts")).pairing,
  },
  "pairing list": {
    doc: "Who wrote and waits for approval.",
    load: async () => (await import("../commands/pairing.ts")).list,
  },
  "pairing approve": {
    doc: "Let in the person who was given this code.",
    load: async () => (await import("../commands/pairing.ts")).approve,
  },
  "pairing dismiss": {
    doc: "Forget a request.",
    load: async () => (await import("../commands/pairing.ts")).dismiss,
  },
  "pairing revoke": {
    doc: "Take an approval back.",
    load: async () => (await import("../commands/pairing.ts")).revoke,
  },
};

/** The commands about agents, devices and people: one row each, loaded when it is called. */
import type { CommandRow } from "../command.ts";

const bind = () => import("./bind.ts");
const devices = () => import("./devices.ts");
const system = () => import("./system.ts");
const directory = () => import("./directory.ts");

export const AGENT_COMMANDS: Record<string, CommandRow> = {
  agents: {
    doc: "List the agents; the subcommands change them.",
    load: async () => (await import("./list.ts")).agents,
  },
  "agents list": {
    doc: "List the agents.",
    load: async () => (await import("./list.ts")).list,
  },
  "agents add": {
    doc: "Add an agent with a workspace of its own.",
    load: async () => (await import("./add.ts")).add,
  },
  "agents set-identity": {
    doc: "Give an agent a name, a manner, an emoji or a picture.",
    load: async () => (await import("./identity.ts")).setIdentity,
  },
  "agents delete": {
    doc: "Remove an agent; its folders are moved aside.",
    load: async () => (await import("./remove.ts")).remove,
  },
  "agents bindings": {
    doc: "Where each agent answers.",
    load: async () => (await bind()).bindings,
  },
  "agents bind": {
    doc: "Let an agent answer a channel or one account of it.",
    load: async () => (await bind()).bind,
  },
  "agents unbind": {
    doc: "Take a channel away from an agent.",
    load: async () => (await bind()).unbind,
  },
  devices: {
    doc: "Devices that signed in.",
    load: async () => (await devices()).devices,
  },
  "devices list": {
    doc: "Who signed in, and who waits for approval.",
    load: async () => (await devices()).list,
  },
  "devices approve": {
    doc: "Let a waiting device in, or a revoked one in again.",
    load: async () => (await devices()).approve,
  },
  "devices reject": {
    doc: "Turn a waiting device away.",
    load: async () => (await devices()).reject,
  },
  "devices revoke": {
    doc: "Shut a device out.",
    load: async () => (await devices()).revoke,
  },
  directory: {
    doc: "Who we are on a network, and who is known there.",
    load: async () => (await directory()).directory,
  },
  "directory self": {
    doc: "Which account is ours.",
    load: async () => (await directory()).self,
  },
  "directory peers": {
    doc: "People on a network.",
    load: async () => (await directory()).peers,
  },
  "directory peers list": {
    doc: "People that are known on a network.",
    load: async () => (await directory()).peersList,
  },
  "directory groups": {
    doc: "Groups and channels on a network.",
    load: async () => (await directory()).groups,
  },
  "directory groups list": {
    doc: "Groups and channels that are known on a network.",
    load: async () => (await directory()).groupsList,
  },
  system: {
    doc: "What only the running gateway knows of itself.",
    load: async () => (await system()).system,
  },
  "system presence": {
    doc: "Who is connected to the gateway.",
    load: async () => (await system()).presence,
  },
};

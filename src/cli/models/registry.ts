/** The commands about models: one row each, loaded when it is called. */
import type { CommandRow } from "../command.ts";

const status = () => import("./status.ts");
const choose = () => import("./choose.ts");
const auth = () => import("./auth.ts");

export const MODEL_COMMANDS: Record<string, CommandRow> = {
  models: {
    doc: "Which model answers, and with which keys; the subcommands change it.",
    load: async () => (await status()).models,
  },
  "models status": {
    doc: "Which model answers, and which keys there are.",
    load: async () => (await status()).status,
  },
  "models list": {
    doc: "List the models that can be used now, or all.",
    load: async () => (await import("./list.ts")).list,
  },
  "models set": {
    doc: "Choose the model that answers when nothing else is said.",
    load: async () => (await choose()).set,
  },
  "models aliases": {
    doc: "Short names of models.",
    load: async () => (await choose()).aliases,
  },
  "models aliases list": {
    doc: "List your short names of models.",
    load: async () => (await choose()).aliasesList,
  },
  "models aliases add": {
    doc: "Give a model a short name.",
    load: async () => (await choose()).aliasesAdd,
  },
  "models aliases remove": {
    doc: "Take a short name away.",
    load: async () => (await choose()).aliasesRemove,
  },
  "models fallbacks": {
    doc: "Models that are tried when the first one fails.",
    load: async () => (await choose()).fallbacks,
  },
  "models fallbacks list": {
    doc: "List the fallbacks in their order.",
    load: async () => (await choose()).fallbacksList,
  },
  "models fallbacks add": {
    doc: "Add a model to the end of the fallbacks.",
    load: async () => (await choose()).fallbacksAdd,
  },
  "models fallbacks remove": {
    doc: "Take a model out of the fallbacks.",
    load: async () => (await choose()).fallbacksRemove,
  },
  "models fallbacks clear": {
    doc: "Remove all fallbacks.",
    load: async () => (await choose()).fallbacksClear,
  },
  "models auth": {
    doc: "Keys of the model providers.",
    load: async () => (await auth()).auth,
  },
  "models auth list": {
    doc: "List the keys; their values are not shown.",
    load: async () => (await auth()).list,
  },
  "models auth add": {
    doc: "Ask for a key, try it, and keep it.",
    load: async () => (await auth()).add,
  },
  "models auth paste-token": {
    doc: "Keep a key or token from standard input.",
    load: async () => (await auth()).pasteToken,
  },
  "models auth setup-token": {
    doc: "Make a Claude subscription's token, and keep it.",
    load: async () => (await import("./setup-token.ts")).setupToken,
  },
  "models auth logout": {
    doc: "Remove the keys of a provider from .env.",
    load: async () => (await auth()).logout,
  },
  "models auth order": {
    doc: "In which order the keys of a provider are tried.",
    load: async () => (await auth()).order,
  },
  "models auth order get": {
    doc: "The order in which the keys of a provider are tried.",
    load: async () => (await auth()).orderGet,
  },
  "models auth order set": {
    doc: "Try these keys first, in this order.",
    load: async () => (await auth()).orderSet,
  },
  "models auth order clear": {
    doc: "Back to the usual order.",
    load: async () => (await auth()).orderClear,
  },
};

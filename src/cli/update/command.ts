/** `update`, `update status` and `update rollback`: the program replaces its own file, and takes that back when it was no good. */
import { wholeNumber } from "../arguments.ts";
import { command } from "../command.ts";
import { runStatus } from "./look.ts";
import { runRollback, runUpdate } from "./run.ts";

const RESTART = {
  "no-restart": {
    type: "boolean",
    description: "Only replace the file; a running gateway goes on with the present version.",
  },
} as const;

export const update = command({
  doc: "Take the newest version, try it, and put it in the place of this one.",
  args: {
    channel: {
      type: "enum",
      options: ["stable", "beta"],
      description: "Which releases; else those that it was installed from.",
    },
    tag: {
      type: "string",
      hint: "version",
      description: "This version instead of the newest, also an older one.",
    },
    yes: { type: "boolean", alias: "y", description: "Go back to an older version unasked." },
    ...RESTART,
    "dry-run": { type: "boolean", description: "Say what would be done, and do none of it." },
    timeout: {
      type: "string",
      hint: "seconds",
      default: "1200",
      description: "Longest time for download and trial.",
    },
  },
  notes:
    "The signature and the checksum are checked, then the new file is started with a copy of your state, without any network. Only then it takes the place of the old one, and the running gateway takes it over. When it is not ready within 10 s, the old one comes back by itself, with all messages. Exit code 0 also when there is nothing newer. With npm, Docker, Nix or from the sources it says which command to use instead.",
  examples: [
    ["update", "to the newest version"],
    ["update --dry-run", "what it would do"],
    ["update --channel beta", "to the newest trial version"],
    ["update --tag 2026.11.20 --yes", "to this version, also when it is older"],
    ["update --json", "for scripts: status, before, after, steps"],
  ],
  run: (args, cli) =>
    runUpdate(cli, {
      channel: args.channel,
      tag: args.tag,
      yes: args.yes,
      restart: !args["no-restart"],
      dryRun: args["dry-run"],
      json: args.json,
      timeoutMs: 1000 * wholeNumber("timeout", args.timeout, { min: 1, max: 86_400 })!,
    }),
});

export const status = command({
  doc: "Which version runs, which is the newest, and what the way back is. Changes nothing.",
  args: {
    timeout: {
      type: "string",
      hint: "seconds",
      default: "3",
      description: "Longest wait for the list of releases.",
    },
  },
  examples: [
    ["update status", "also without a network"],
    ["update status --json", "for scripts"],
  ],
  run: (args, cli) =>
    runStatus(cli, {
      json: args.json,
      timeoutMs: 1000 * wholeNumber("timeout", args.timeout, { min: 1, max: 600 })!,
    }),
});

export const rollback = command({
  doc: "Go back to the version that the last update replaced, with everything that has been said since.",
  args: {
    yes: { type: "boolean", alias: "y", description: "Do not ask." },
    ...RESTART,
  },
  notes:
    "The version before lies beside the program, so no network is needed. It is tried with a copy of the state first. A database that the newer version has changed is brought into the older form with all messages, and the newer one is kept beside it. Called again it goes forward again.",
  examples: [
    ["update rollback", "asks before"],
    ["update rollback --yes", "for scripts"],
  ],
  run: (args, cli) =>
    runRollback(cli, { yes: args.yes, restart: !args["no-restart"], json: args.json }),
});

/** `agents bind|unbind|bindings`: which agent answers where. */
import { agentEntries, defaultAgentId } from "../../agent/settings.ts";
import { AppError } from "../../base/errors.ts";
import { refuseInNixMode } from "../../base/nix.ts";
import { editFile } from "../../config/handle.ts";
import { usableSettings } from "../channels/accounts.ts";
import { command } from "../command.ts";
import { sayBound } from "./add.ts";
import { bindChanges, bindingsOf, describeMatch, parseBind, unbindChanges } from "./bindings.ts";
import { agentNamed } from "./entries.ts";

const AGENT_ARG = {
  agent: { type: "string", hint: "id", description: "Which agent; else the default one." },
} as const;
const BIND_ARG = {
  bind: {
    type: "list",
    hint: "channel[:account]",
    description: "A channel, or one account of it; may be given several times.",
  },
} as const;

export const bindings = command({
  doc: "Where each agent answers. Works while the gateway is down.",
  args: { agent: { type: "string", hint: "id", description: "Only this agent." } },
  examples: [
    ["agents bindings", "all of them"],
    ["agents bindings --agent work --json", "of one agent, for scripts"],
  ],
  async run(args, { out, ...cli }) {
    const { config } = await usableSettings({ out, ...cli });
    const only = args.agent && agentNamed(config, args.agent);
    const ids = agentEntries(config.agents).map(({ id }) => id);
    const rows = ids
      .filter((id) => !only || id === only)
      .flatMap((agentId) =>
        bindingsOf(config, agentId).map(({ match }) => ({
          agentId,
          match,
          description: describeMatch(match),
        })),
      );
    if (args.json) return out.data(rows);
    if (rows.length === 0) return out.line("No bindings.");
    out.table(
      [{ title: "Agent" }, { title: "Answers at" }],
      rows.map(({ agentId, description }) => [agentId, description]),
    );
  },
});

export const bind = command({
  doc: "Let an agent answer a channel or one account of it.",
  args: { ...AGENT_ARG, ...BIND_ARG },
  notes: "What another agent has already is left to it, and told; the exit code is 1 then.",
  examples: [["agents bind --agent work --bind telegram:work", "one account"]],
  async run(args, cli) {
    refuseInNixMode(cli.env, "config");
    const wanted = needed(args.bind);
    const { config } = await usableSettings(cli);
    const id = args.agent ? agentNamed(config, args.agent) : defaultAgentId(config.agents);
    const { changes, bound } = bindChanges(config, id, wanted);
    const { env, paths } = cli;
    if (changes.length > 0)
      await editFile({ env, paths, strictVariables: false, now: Date.now() }, changes);
    const ok = bound.conflicts.length === 0;
    if (args.json) cli.out.data({ ok, agentId: id, ...bound });
    else sayBound(cli, bound);
    return ok ? 0 : 1;
  },
});

export const unbind = command({
  doc: "Take a channel, or all of them, away from an agent; the default agent then answers there.",
  args: {
    ...AGENT_ARG,
    ...BIND_ARG,
    all: { type: "boolean", description: "Everything it is bound to, single chats too." },
  },
  examples: [
    ["agents unbind --agent work --bind telegram:work", "one account"],
    ["agents unbind --agent work --all", "all of them"],
  ],
  async run(args, cli) {
    refuseInNixMode(cli.env, "config");
    if (args.all && args.bind.length > 0)
      throw new AppError("usage", "Give either --bind or --all, not both.");
    const wanted = args.all ? undefined : needed(args.bind);
    const { config } = await usableSettings(cli);
    const id = args.agent ? agentNamed(config, args.agent) : defaultAgentId(config.agents);
    const { changes, removed, missing } = unbindChanges(config, id, wanted);
    const { env, paths } = cli;
    if (changes.length > 0)
      await editFile({ env, paths, strictVariables: false, now: Date.now() }, changes);
    if (args.json) cli.out.data({ ok: missing.length === 0, agentId: id, removed, missing });
    else {
      for (const each of removed) cli.out.line(`Unbound: ${each}`);
      for (const each of missing) cli.out.error(`Not bound: ${each}`);
      if (removed.length + missing.length === 0) cli.out.line("No bindings.");
    }
    return missing.length === 0 ? 0 : 1;
  },
});

function needed(given: string[]) {
  if (given.length > 0) return given.map(parseBind);
  throw new AppError("usage", "Provide at least one --bind <channel[:account]>.");
}

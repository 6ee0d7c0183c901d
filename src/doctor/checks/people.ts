/** Who can use the assistant through the chat networks, and what they share. */
import { type Configured, configuredAccounts } from "../../channels/configured.ts";
import { NETWORKS } from "../../channels/registry.ts";
import { peekPairing } from "../../store/sqlite/peek.ts";
import type { Check, Finding, Fix, Scene } from "../check.ts";
import { fromDatabase } from "./database.ts";

const EVERYBODY = "*";

/** Where an account's own keys stand. */
const placeOf = ({ channel, plan }: Configured): string[] =>
  plan.id === "default" ? ["channels", channel] : ["channels", channel, "accounts", plan.id];

const set = (label: string, path: string[], value: string): Fix => ({
  kind: "choice",
  label,
  done: `${path.join(".")} is ${value} now.`,
  changes: [{ kind: "set", path, value }],
});

function policies(row: Configured, command: string): Finding[] {
  const { channel, plan, snapshot } = row;
  const { label } = NETWORKS[channel];
  const who = plan.id === "default" ? label : `${label} (${plan.id})`;
  const place = placeOf(row);
  const found: Finding[] = [];
  const everybody = snapshot.allowFrom.includes(EVERYBODY);
  const hint = (key: string, value: string) =>
    `${command} config set ${[...place, key].join(".")} ${value}`;
  if (snapshot.dmPolicy === "open" && everybody)
    found.push({
      severity: "critical",
      message: `${who}: everybody who finds it can use the assistant (dmPolicy is open), and pays with your tokens.`,
      fixHint: hint("dmPolicy", "pairing"),
      path: [...place, "dmPolicy"].join("."),
      audit: { id: `channels.${channel}.dm.open`, title: `${who} answers everybody` },
      fix: set(`${who}: ask strangers for a code`, [...place, "dmPolicy"], "pairing"),
    });
  if (snapshot.dmPolicy === "open" && !everybody)
    found.push({
      severity: "warning",
      message: `${who}: dmPolicy is open, but allowFrom has no "*", so it answers only who is listed.`,
      fixHint: hint("dmPolicy", "allowlist"),
      path: [...place, "dmPolicy"].join("."),
      audit: { id: `channels.${channel}.dm.open_invalid`, title: `${who} is half open` },
      fix: set(`${who}: answer only who is listed`, [...place, "dmPolicy"], "allowlist"),
    });
  if (snapshot.dmPolicy === "disabled")
    found.push({
      severity: "info",
      message: `${who}: direct messages are switched off (dmPolicy is disabled).`,
      path: [...place, "dmPolicy"].join("."),
      audit: { id: `channels.${channel}.dm.disabled`, title: `${who} takes no direct messages` },
    });
  if (snapshot.groupPolicy === "open")
    found.push({
      severity: "warning",
      message: `${who}: everybody in its groups can talk to the assistant (groupPolicy is open). Whom no list names reaches no files and no commands.`,
      fixHint: hint("groupPolicy", "allowlist"),
      path: [...place, "groupPolicy"].join("."),
      audit: { id: `channels.${channel}.groups.open`, title: `${who} answers whole groups` },
      fix: set(`${who}: only listed people in groups`, [...place, "groupPolicy"], "allowlist"),
    });
  return found;
}

/** Everybody's direct messages end up in one conversation, so each can ask what the other has said. */
function shared(rows: readonly Configured[], scene: Scene): Finding[] {
  const { session } = scene.loaded.config!;
  if (session.dmScope !== "main") return [];
  const allowed = fromDatabase([], () => peekPairing(scene.paths.databasePath, scene.now).allowed);
  const channels = [...new Set(rows.map(({ channel }) => channel))];
  return channels.flatMap((channel): Finding[] => {
    const own = rows.filter((row) => row.channel === channel && row.plan.enabled);
    const people = new Set([
      ...own.flatMap(({ snapshot }) => snapshot.allowFrom),
      ...allowed.filter((row) => row.channel === channel).map(({ sender }) => sender),
    ]);
    const open = own.some(
      ({ snapshot }) => snapshot.dmPolicy === "open" && snapshot.allowFrom.includes(EVERYBODY),
    );
    if (people.size < 2 && !open) return [];
    const many = open ? "everybody" : `${people.size} people`;
    return [
      {
        severity: "warning",
        message: `${NETWORKS[channel].label}: the direct messages of ${many} go into one conversation (session.dmScope is main), so each can see what the others said.`,
        fixHint: `${scene.command} config set session.dmScope per-channel-peer`,
        path: "session.dmScope",
        audit: {
          id: `channels.${channel}.dm.scope_main_multiuser`,
          title: "Several people share one conversation",
        },
        fix: set(
          "Give every person a conversation of their own",
          ["session", "dmScope"],
          "per-channel-peer",
        ),
      },
    ];
  });
}

export const peopleCheck: Check = {
  id: "people",
  title: "Who may talk",
  async run(scene) {
    const { config, env } = scene.loaded;
    if (!config) return [];
    const rows = await configuredAccounts(
      (id) => config.channels[id],
      (name) => env.raw(name),
    );
    const live = rows.filter(({ plan }) => plan.enabled);
    return [...live.flatMap((row) => policies(row, scene.command)), ...shared(live, scene)];
  },
};

/** Who can use the assistant through the chat networks, and what they share. */
import { z } from "zod";

import { type Configured, configuredAccounts } from "../../channels/configured.ts";
import { NETWORKS } from "../../channels/registry.ts";
import type { Change } from "../../config/edit.ts";
import { valueAt } from "../../config/path.ts";
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

/** Edits that take "*" out of the lists of this name, where they are written: at the account, else for the whole channel. */
function withoutEverybody(row: Configured, keys: readonly string[], { loaded }: Scene): Change[] {
  const places = [placeOf(row), ["channels", row.channel]];
  const paths = places.flatMap((place) =>
    keys.flatMap((key) => [
      [...place, key],
      [...place, "dm", key],
    ]),
  );
  const seen = new Set<string>();
  return paths.flatMap((path): Change[] => {
    const list = valueAt(loaded.parsed, path);
    const id = path.join(".");
    if (!Array.isArray(list) || !list.some(isEverybody) || seen.has(id)) return [];
    seen.add(id);
    return [{ kind: "set", path, value: list.filter((entry) => !isEverybody(entry)) }];
  });
}

const isEverybody = (entry: unknown): boolean =>
  typeof entry === "string" && entry.trim() === EVERYBODY;

/** Such a list lets everybody in, whatever the policy says. */
const namesEverybody = (list: readonly string[]): boolean => list.some(isEverybody);

const opensDirect = ({ snapshot }: Configured): boolean =>
  snapshot.dmPolicy !== "disabled" && namesEverybody(snapshot.allowFrom);

const Rules = z.looseObject({
  groupAllowFrom: z.array(z.unknown()).optional(),
  dangerouslyAllowNameMatching: z.boolean().optional(),
});

function opensGroups({ plan, snapshot }: Configured): boolean {
  const own = Rules.safeParse(plan.config).data?.groupAllowFrom?.map(String);
  return snapshot.groupPolicy === "allowlist" && namesEverybody(own ?? snapshot.allowFrom);
}

function policies(row: Configured, scene: Scene): Finding[] {
  const { channel, plan, snapshot } = row;
  const { command } = scene;
  const { label } = NETWORKS[channel];
  const who = plan.id === "default" ? label : `${label} (${plan.id})`;
  const place = placeOf(row);
  const at = (key: string) => [...place, key].join(".");
  const found: Finding[] = [];
  const hint = (key: string, value: string) => `${command} config set ${at(key)} ${value}`;
  const policy: Change[] =
    snapshot.dmPolicy === "open"
      ? [{ kind: "set", path: [...place, "dmPolicy"], value: "pairing" }]
      : [];
  const lists = withoutEverybody(row, ["allowFrom"], scene);
  if (opensDirect(row))
    found.push({
      severity: "critical",
      message: `${who}: everybody who finds it can use the assistant (allowFrom has "*"), and you pay for it. Whom no list names reaches no files and no commands.`,
      fixHint: `Take "*" out of ${at("allowFrom")}${policy.length > 0 ? `, then: ${hint("dmPolicy", "pairing")}` : ""}`,
      path: at("allowFrom"),
      audit: { id: `channels.${channel}.dm.open`, title: `${who} answers everybody` },
      ...(lists.length > 0 && {
        fix: {
          kind: "close" as const,
          label: `${who}: answer only who is listed, and ask strangers for a code`,
          done: `${who} does not answer everybody any more.`,
          changes: [...policy, ...lists],
        },
      }),
    });
  if (snapshot.dmPolicy === "open" && !opensDirect(row))
    found.push({
      severity: "warning",
      message: `${who}: dmPolicy is open, but allowFrom has no "*", so it answers only who is listed.`,
      fixHint: hint("dmPolicy", "allowlist"),
      path: at("dmPolicy"),
      audit: { id: `channels.${channel}.dm.open_invalid`, title: `${who} is half open` },
      fix: set(`${who}: answer only who is listed`, [...place, "dmPolicy"], "allowlist"),
    });
  if (snapshot.dmPolicy === "disabled")
    found.push({
      severity: "info",
      message: `${who}: direct messages are switched off (dmPolicy is disabled).`,
      path: at("dmPolicy"),
      audit: { id: `channels.${channel}.dm.disabled`, title: `${who} takes no direct messages` },
    });
  return [...found, ...groups(row, who, scene), ...names(row, who, command)];
}

/** Names can be given up and taken by somebody else. */
function names(row: Configured, who: string, command: string): Finding[] {
  if (Rules.safeParse(row.plan.config).data?.dangerouslyAllowNameMatching !== true) return [];
  const path = [...placeOf(row), "dangerouslyAllowNameMatching"];
  return [
    {
      severity: "warning",
      message: `${who}: names in its lists count as people (dangerouslyAllowNameMatching); whoever takes such a name later is let in.`,
      fixHint: `${command} config set ${path.join(".")} false`,
      path: path.join("."),
      audit: {
        id: `channels.${row.channel}.allowFrom.dangerous_name_matching_enabled`,
        title: `${who} lets people in by name`,
      },
      fix: {
        kind: "close",
        label: `${who}: let people in by id only`,
        done: `${who} lets people in by id only now.`,
        changes: [{ kind: "set", path, value: false }],
      },
    },
  ];
}

function groups(row: Configured, who: string, scene: Scene): Finding[] {
  const place = placeOf(row);
  const open = row.snapshot.groupPolicy === "open";
  if (!open && !opensGroups(row)) return [];
  const key = open ? "groupPolicy" : "groupAllowFrom";
  const policy: Change[] = open
    ? [{ kind: "set", path: [...place, "groupPolicy"], value: "allowlist" }]
    : [];
  const lists = withoutEverybody(row, ["groupAllowFrom", "allowFrom"], scene);
  const changes = [...policy, ...lists];
  return [
    {
      severity: "warning",
      message: `${who}: everybody in its groups can talk to the assistant (${open ? "groupPolicy is open" : 'the list for groups has "*"'}). Whom no list names reaches no files and no commands.`,
      fixHint: open
        ? `${scene.command} config set ${[...place, key].join(".")} allowlist`
        : `Take "*" out of ${[...place, key].join(".")}, or of allowFrom, which counts without it`,
      path: [...place, key].join("."),
      audit: {
        id: `channels.${row.channel}.groups.${open ? "open" : "allowFrom.wildcard"}`,
        title: `${who} answers whole groups`,
      },
      ...(changes.length > 0 && {
        fix: {
          kind: "close" as const,
          label: `${who}: answer only listed people in groups`,
          done: `${who} answers only listed people in groups now.`,
          changes,
        },
      }),
    },
  ];
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
    const open = own.some(opensDirect);
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
    return [...live.flatMap((row) => policies(row, scene)), ...shared(live, scene)];
  },
};

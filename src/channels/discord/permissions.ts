/** Permissions of a Discord channel: their names, what the bot needs, and what somebody has there. Pure. */

/** Bits that the assistant can have a use for; the names are those of the server settings. */
export const PERMISSIONS = {
  "Add Reactions": 1n << 6n,
  "View Channels": 1n << 10n,
  "Send Messages": 1n << 11n,
  "Manage Messages": 1n << 13n,
  "Embed Links": 1n << 14n,
  "Attach Files": 1n << 15n,
  "Read Message History": 1n << 16n,
  "Use External Emoji": 1n << 18n,
  "Create Public Threads": 1n << 35n,
  "Use External Stickers": 1n << 37n,
  "Send Messages in Threads": 1n << 38n,
  "Create Polls": 1n << 49n,
  "Pin Messages": 1n << 51n,
} as const;
export type PermissionName = keyof typeof PERMISSIONS;

const ADMINISTRATOR = 1n << 3n;
const ALL = (1n << 53n) - 1n;

/** Without these a conversation does not work; the invite link asks for them. */
export const NEEDED: readonly PermissionName[] = [
  "View Channels",
  "Send Messages",
  "Send Messages in Threads",
  "Create Public Threads",
  "Read Message History",
  "Attach Files",
  "Embed Links",
  "Add Reactions",
];
export const INVITE_PERMISSIONS: string = NEEDED.reduce(
  (sum, name) => sum | PERMISSIONS[name],
  0n,
).toString();

export type PermissionSource = {
  guild: { id: string; owner_id: string; roles: { id: string; permissions: string }[] };
  member: { id: string; roles: string[] };
  /** Of the channel; of the parent for a thread, which has none of its own. */
  overwrites: { id: string; allow: string; deny: string }[];
};

/** In the platform's order: everybody's role, the member's roles, then the channel's exceptions for each of these. */
export function permissionsOf({ guild, member, overwrites }: PermissionSource): bigint {
  if (guild.owner_id === member.id) return ALL;
  const mine = guild.roles.filter(({ id }) => id === guild.id || member.roles.includes(id));
  const base = mine.reduce((sum, role) => sum | BigInt(role.permissions), 0n);
  if (base & ADMINISTRATOR) return ALL;
  const apply = (bits: bigint, rows: typeof overwrites) => {
    const deny = rows.reduce((sum, row) => sum | BigInt(row.deny), 0n);
    const allow = rows.reduce((sum, row) => sum | BigInt(row.allow), 0n);
    return (bits & ~deny) | allow;
  };
  const everyone = overwrites.filter(({ id }) => id === guild.id);
  const roles = overwrites.filter(({ id }) => id !== guild.id && member.roles.includes(id));
  const own = overwrites.filter(({ id }) => id === member.id);
  return apply(apply(apply(base, everyone), roles), own);
}

export const namesOf = (bits: bigint): PermissionName[] =>
  (Object.keys(PERMISSIONS) as PermissionName[]).filter((name) => bits & PERMISSIONS[name]);

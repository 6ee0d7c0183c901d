/** What a running account can do. */
import type { ChannelActions } from "./action.ts";
import type { ChannelAccount } from "./channel.ts";

/** Written out, so that a new method of the interface is missed by the compiler and not by a user. */
const METHODS: Record<keyof ChannelActions, true> = {
  edit: true,
  remove: true,
  react: true,
  reactions: true,
  poll: true,
  pin: true,
  unpin: true,
  pins: true,
  read: true,
  search: true,
  sticker: true,
  threadCreate: true,
  threads: true,
  permissions: true,
  member: true,
  directory: true,
};

/** What an account can do; presence is the capability. */
export const capabilitiesOf = (
  account: ChannelAccount,
): (keyof ChannelActions | "send" | "typing")[] => [
  "send",
  ...(account.typing ? (["typing"] as const) : []),
  ...(Object.keys(METHODS) as (keyof ChannelActions)[]).filter((key) => account[key] !== undefined),
];

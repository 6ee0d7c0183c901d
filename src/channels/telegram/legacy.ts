/** The last update that an older installation has seen of each bot, so that none is answered twice. */
import { readFile } from "node:fs/promises";
import { join } from "node:path";

import { errnoOf } from "../../base/errors.ts";
import type { ChannelLegacy } from "../legacy.ts";
import { OFFSET } from "./offset.ts";

const nameOf = (account: string): string => `telegram/update-offset-${account}.json`;

/** The id of the last update; undefined when the file is missing or broken. */
async function lastSeen(stateDir: string, account: string): Promise<number | undefined> {
  try {
    const value: unknown = JSON.parse(await readFile(join(stateDir, nameOf(account)), "utf8"));
    const id = (value as { lastUpdateId?: unknown } | null)?.lastUpdateId;
    return typeof id === "number" && Number.isSafeInteger(id) && id > 0 ? id : undefined;
  } catch (cause) {
    if (cause instanceof SyntaxError || errnoOf(cause) !== undefined) return undefined;
    throw cause;
  }
}

export const legacy: ChannelLegacy = {
  what: "the last update that was seen",
  async find({ stateDir, account }) {
    return (await lastSeen(stateDir, account)) === undefined ? 0 : 1;
  },
  async isNew({ stateDir, account }, state) {
    const seen = await lastSeen(stateDir, account);
    // Here it is the first one after all that were seen, and it only goes forward.
    return seen !== undefined && ((await state.get<number>(OFFSET)) ?? 0) <= seen;
  },
  async take(place, state) {
    const seen = await lastSeen(place.stateDir, place.account);
    if (seen === undefined || !(await legacy.isNew(place, state))) return 0;
    await state.put({ [OFFSET]: seen + 1 });
    return 1;
  },
  async give({ account }, state) {
    const offset = await state.get<number>(OFFSET);
    if (!offset) return {};
    return { [nameOf(account)]: { version: 1, lastUpdateId: offset - 1 } };
  },
};

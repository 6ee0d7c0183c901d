/** The bot's own account and its application: who we are, and which privileged intents the owner has switched on. */
import { toAppError } from "../../base/errors.ts";
import type { Probe } from "../channel.ts";
import type { Api } from "./api.ts";
import type { DiscordConfig } from "./config.ts";
import { handleOf, type WireUser } from "./wire.ts";

export type Application = { id: string; flags: number };
type State = "enabled" | "limited" | "disabled";
type IntentName = "presence" | "guildMembers" | "messageContent";

/** Bits of the application's flags: approved, and switched on for a bot in few servers. */
const FLAGS: Readonly<Record<IntentName, { approved: number; limited: number; label: string }>> = {
  presence: { approved: 1 << 12, limited: 1 << 13, label: "Presence Intent" },
  guildMembers: { approved: 1 << 14, limited: 1 << 15, label: "Server Members Intent" },
  messageContent: { approved: 1 << 18, limited: 1 << 19, label: "Message Content Intent" },
};
/** Bits of what is asked of the gateway. */
const GATEWAY = {
  guilds: 1 << 0,
  guildMembers: 1 << 1,
  presence: 1 << 8,
  messages: 1 << 9,
  reactions: 1 << 10,
  directMessages: 1 << 12,
  directReactions: 1 << 13,
  messageContent: 1 << 15,
} as const;

export const PORTAL = "https://discord.com/developers/applications";

/** What is asked of the gateway; the privileged ones are refused unless the portal has them on. */
export function intentsOf({ intents }: Pick<DiscordConfig, "intents">): number {
  const { guilds, messages, reactions, directMessages, directReactions, messageContent } = GATEWAY;
  return (
    guilds |
    messages |
    reactions |
    directMessages |
    directReactions |
    messageContent |
    (intents?.presence ? GATEWAY.presence : 0) |
    (intents?.guildMembers ? GATEWAY.guildMembers : 0)
  );
}

export function intentStates({ flags }: Application): Record<IntentName, State> {
  const state = (name: IntentName): State =>
    flags & FLAGS[name].approved ? "enabled" : flags & FLAGS[name].limited ? "limited" : "disabled";
  return {
    messageContent: state("messageContent"),
    guildMembers: state("guildMembers"),
    presence: state("presence"),
  };
}

/** Labels of intents that this config asks for and the portal has off. */
export function missingIntents(
  config: Pick<DiscordConfig, "intents">,
  application: Application,
): string[] {
  const states = intentStates(application);
  const wanted: IntentName[] = [
    "messageContent",
    ...(config.intents?.guildMembers ? (["guildMembers"] as const) : []),
    ...(config.intents?.presence ? (["presence"] as const) : []),
  ];
  return wanted.filter((name) => states[name] === "disabled").map((name) => FLAGS[name].label);
}

export const loadSelf = (api: Api, signal?: AbortSignal): Promise<WireUser> =>
  api.get<WireUser>("/users/@me", signal && { signal });
export const loadApplication = (api: Api, signal?: AbortSignal): Promise<Application> =>
  api.get<Application>("/applications/@me", signal && { signal });

/** As `ChannelAccount.probe`; a failure is in its result. */
export async function probe(api: Api, config: DiscordConfig, signal: AbortSignal): Promise<Probe> {
  const begun = performance.now();
  const elapsed = () => Math.round(performance.now() - begun);
  try {
    const bot = await loadSelf(api, signal);
    const elapsedMs = elapsed();
    const application = await loadApplication(api, signal);
    const missing = missingIntents(config, application);
    return {
      ok: true,
      elapsedMs,
      detail: `logged in to discord as ${handleOf(bot)}`,
      facts: {
        bot: { id: bot.id, username: bot.username },
        application: {
          id: application.id,
          flags: application.flags,
          intents: intentStates(application),
        },
      },
      ...(missing.length && {
        warnings: missing.map(
          (label) => `${label} is off in the developer portal (${PORTAL}, Bot).`,
        ),
      }),
    };
  } catch (cause) {
    // An edge: the answer to "does it work" is no, with the reason.
    const { message, hint } = toAppError(cause);
    return { ok: false, elapsedMs: elapsed(), detail: hint ? `${message} ${hint}` : message };
  }
}

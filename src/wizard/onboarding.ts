import { agentSettings, defaultAgentId } from "../agent/settings.ts";
import { AppError } from "../base/errors.ts";
import { NETWORKS } from "../channels/registry.ts";
import { DEFAULT_ACCOUNT } from "./account.ts";
/**
 * The set-up of everything: the risk, a model, chats, the service, ready. Quick start asks at most three questions beyond the risk: a
 * key, a chat app, and that app's token. Nothing is written before the last one is answered.
 */
import type { Answers } from "./apply.ts";
import { type Applied, apply } from "./apply.ts";
import type { Asked, Bench } from "./bench.ts";
import { askChannel, type ChannelAnswer } from "./channels.ts";
import type { ModelAnswer } from "./choices.ts";
import { askGateway, gatewayAnswer, type GatewayWishes } from "./gateway.ts";
import type { Guide } from "./guide.ts";
import { askModel, type ModelWishes } from "./model.ts";

export const RISK =
  "The assistant can run commands and read files as you. Whoever can write to it can make it do so. Let nobody else write to it.";

/** What is known before the first question. */
export type Wishes = {
  riskAccepted: boolean;
  /** `advanced` also asks where the agent works, and about the gateway. */
  flow: "quickstart" | "advanced";
  workspace?: string | undefined;
  model: ModelWishes;
  /** Absent where the gateway runs already: then nothing of it is changed. */
  gateway?: GatewayWishes;
  skipChannels: boolean;
  /** Run it in the background. Undefined: quick start does, advanced asks. */
  daemon?: boolean | undefined;
};

export type Plan = Answers & { model: ModelAnswer; daemon: boolean };

/**
 * All questions. Undefined when the person does not want to go on.
 * @param service whether a background service is possible here, and this set-up could put one in place
 * Throws usage for flags that cannot be, provider errors for a key that does not work, `aborted` when the person leaves.
 */
export async function askEverything(
  bench: Bench,
  wishes: Wishes,
  asked: Asked,
  { service }: { service: boolean },
): Promise<Plan | undefined> {
  const { guide, asks } = asked;
  const advanced = asks && wishes.flow === "advanced";
  // Flags that cannot be are told before anything is asked.
  const gateway = wishes.gateway && gatewayAnswer(wishes.gateway, bench);
  const daemon = wishes.daemon ?? (asks && service && !advanced);
  if (asks && !wishes.riskAccepted) {
    const about = [RISK, ...(daemon && wishes.daemon === undefined ? [BACKGROUND] : [])];
    if (!(await guide.confirm({ message: "Go on?", about: about.join("\n"), initial: true })))
      return undefined;
  }
  const workspace = advanced
    ? await askWorkspace(bench, guide, wishes.workspace)
    : wishes.workspace;
  const model = await askModel(bench, wishes.model, asked, { anew: advanced });
  const answer =
    advanced && wishes.gateway ? await askGateway(bench, wishes.gateway, guide) : gateway;
  const channel =
    asks && !wishes.skipChannels ? await askChannel(bench, guide, { keep: !advanced }) : undefined;
  const background =
    advanced && service && wishes.daemon === undefined
      ? await guide.confirm({
          message: "Run it in the background from now on, also after a restart?",
          initial: true,
        })
      : daemon;
  return {
    model,
    daemon: background,
    ...(answer && { gateway: answer }),
    ...(channel && { channel }),
    ...(workspace && { workspace }),
  };
}

const BACKGROUND =
  "It will run in the background from now on, also after a restart; --no-install-daemon leaves that out.";

/** Undefined when it is to stay what it is. */
export async function askWorkspace(
  bench: Bench,
  guide: Guide,
  wished?: string,
): Promise<string | undefined> {
  if (wished) return wished;
  const { agents } = bench.config();
  const now = agentSettings(agents, defaultAgentId(agents), bench.paths).workspace;
  const text = await guide.text({ message: "Folder in which the agent works", initial: now });
  return text === now ? undefined : text;
}

/** Writes everything down, and links a phone when one was chosen. Throws what `apply` throws. */
export async function carryOut(
  bench: Bench,
  answers: Answers,
  guide: Guide,
  command: string,
): Promise<Applied> {
  const applied = await apply(bench, answers, command);
  const { channel } = answers;
  if (channel) applied.lines.push(await finishChannel(bench, channel, guide));
  return applied;
}

/** One line about the channel. A phone that could not be linked now can be linked later: everything else is done. */
async function finishChannel(
  bench: Bench,
  { channel, link, detail }: ChannelAnswer,
  guide: Guide,
): Promise<string> {
  const { label } = NETWORKS[channel];
  if (!link)
    return `${label}: ${detail ?? "set up"}. Write to the bot; it answers with a code. To let yourself in: ${bench.program} pairing approve ${channel} <code>`;
  try {
    const words = await guide.progress(`${label}: preparing the picture to scan ...`, (show) =>
      bench.link({ channel, account: DEFAULT_ACCOUNT }, show, guide.signal),
    );
    return `${label}: ${words}`;
  } catch (cause) {
    if (!(cause instanceof AppError)) throw cause;
    const later = `${bench.program} channels login --channel ${channel}`;
    if (guide.signal.aborted)
      throw new AppError("aborted", `Everything is set up; only ${label} is not linked yet.`, {
        hint: `To link it: ${later}`,
      });
    return `${label} is not linked yet (${cause.message.replace(/\.$/, "")}). To link it: ${later}`;
  }
}

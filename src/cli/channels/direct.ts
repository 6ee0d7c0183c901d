/** Messages and actions without a gateway: the account is started in this process for one call, and nothing is read. */
import { AppError } from "../../base/errors.ts";
import { act, type ActingPorts, type ToSend } from "../../channels/acting.ts";
import { withAccount } from "../../channels/alone.ts";
import type { Channel, ChannelAccount } from "../../channels/channel.ts";
import { type NetworkId, NETWORKS } from "../../channels/registry.ts";
import { isRecord } from "../../config/path.ts";
import { chunk } from "../../delivery/chunk.ts";
import { render } from "../../delivery/format/render.ts";
import type { Address, MediaRef, Receipt } from "../../flow.ts";
import type { Cli } from "../command.ts";
import { configuredAccounts, usableSettings } from "./accounts.ts";

/** Gives the raw result of the action. Throws what the channel throws, and gateway_unreachable for one that only the gateway can use. */
export async function actDirectly(
  cli: Cli,
  name: string,
  to: Address & { channel: NetworkId },
  params: Readonly<Record<string, unknown>>,
  why: AppError,
): Promise<unknown> {
  const settings = await usableSettings(cli);
  const rows = await configuredAccounts(settings);
  const found = rows.find((row) => row.channel === to.channel && row.plan.id === to.account);
  const { label } = NETWORKS[to.channel];
  if (!found)
    throw new AppError("not_found", `${label} has no account "${to.account}".`, {
      hint: `To add it: ${cli.name}${cli.profileFlag} channels add --channel ${to.channel}`,
    });
  // Its keys belong to one process at a time, and using them here would end the gateway's next connection.
  if (found.setup.login)
    throw new AppError(
      "gateway_unreachable",
      `${label} needs the running gateway. ${why.message}`,
      {
        hint: why.hint ?? `Start it with: ${cli.name}${cli.profileFlag} gateway`,
      },
    );
  const env = (variable: string) => settings.env.raw(variable);
  return withAccount(
    cli,
    { channel: to.channel, plan: found.plan, env },
    async (account, channel) =>
      (await act(portsFor(account, channel, found.plan.config), name, to, params)).result,
  );
}

const settingOf = (config: unknown, key: string): unknown =>
  isRecord(config) ? config[key] : undefined;

function portsFor(account: ChannelAccount, channel: Channel, config: unknown): ActingPorts {
  const mode = settingOf(settingOf(config, "markdown"), "tables");
  const tables = mode === "off" || mode === "bullets" ? mode : "code";
  const rendered = (markdown: string) => ({
    text: render(channel.render, markdown, { tables }),
    plain: render("plain", markdown, { tables }),
  });
  const switches = settingOf(config, "actions");
  return {
    account: () => account,
    running: () => [{ channel: channel.id, account }],
    switches: () => (isRecord(switches) ? switches : {}),
    send: (out) => sendAll(account, channel, out, rendered),
    render: (_, markdown) => rendered(markdown),
    newKey: () => crypto.randomUUID(),
  };
}

/** Part after part; the files and buttons go with the last one, as in the gateway. */
async function sendAll(
  account: ChannelAccount,
  { limits }: Channel,
  { key, to, text, media = [], buttons, silent }: ToSend,
  rendered: (markdown: string) => { text: string; plain: string },
): Promise<Receipt> {
  const { text: limit, lines } = limits;
  const parts = text.trim() ? chunk(text, { limit, ...(lines && { lines }) }) : [""];
  const ids: string[] = [];
  let at = 0;
  for (const [i, part] of parts.entries()) {
    const last = i === parts.length - 1;
    const receipt = await account.send({
      to,
      ...rendered(part),
      media: last ? (media as MediaRef[]) : [],
      key: `${key}:${i}`,
      ...(last && buttons && { buttons }),
      ...(silent && { silent }),
    });
    ids.push(...receipt.ids);
    at = receipt.at;
  }
  return { ids, at };
}

/** The three chat networks as fakes in this process, and a home whose config leads the compiled binary to them. */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";

import { muteSignal } from "../../src/channels/whatsapp/logger.ts";
import { type FakeDiscord, startDiscord } from "../fakes/discord.ts";
import { startTelegram, type Telegram } from "../fakes/telegram.ts";
import { startWhatsApp, type WhatsApp } from "../fakes/whatsapp/index.ts";
import { emptyHome, type Home, type Running, startGatewayProcess } from "./binary.ts";

type Json = Record<string, unknown>;
export type Section = "telegram" | "discord" | "whatsapp";
export type NetworksOptions = {
  /** Keys of the root of the config. */
  config?: Json | ((home: Home) => Json);
  /** Keys of the channels' sections, over those below. Called when the fakes are there, before anything runs. */
  channels?: (fakes: Fakes) => Partial<Record<Section, Json>>;
  /** Which of them are configured; all when absent. */
  only?: readonly Section[];
  /** Pause between two heartbeats of the fake Discord. */
  heartbeatMs?: number;
  /** What the program is told instead of the address of a fake's HTTP server. */
  route?: (id: "telegram" | "discord", origin: string) => Promise<string>;
};

export type Fakes = { telegram: Telegram; discord: FakeDiscord; whatsapp: WhatsApp };
export type Networks = Fakes & {
  home: Home;
  /** What the program needs in its environment. */
  env: Record<string, string>;
  config: Json;
  /** The gateway, on a free port. */
  start(): Promise<Running>;
  close(): Promise<void>;
};

/** No waiting for the sake of a number's good name, and quick new connections. */
export const QUICK_WHATSAPP = {
  pace: { perMinute: 6000, burst: 1000, perChatMs: 0, newPeoplePerDay: 1000 },
};
export const QUICK_WEB = {
  heartbeatSeconds: 4,
  reconnect: { initialMs: 250, factor: 1.1, jitter: 0, maxAttempts: 0 },
};

export async function openNetworks(options: NetworksOptions = {}): Promise<Networks> {
  // The library of the fake's people prints their keys.
  muteSignal();
  const { heartbeatMs, only = ["telegram", "discord", "whatsapp"] } = options;
  const home = emptyHome();
  const telegram = await startTelegram({});
  const discord = await startDiscord(heartbeatMs === undefined ? {} : { heartbeatMs });
  const whatsapp = startWhatsApp({ prekeys: 100 });
  mkdirSync(home.state, { mode: 0o700, recursive: true });
  const link = join(home.dir, "link");
  whatsapp.writeFolder(link);
  const { route = async (_, origin) => origin } = options;
  const discordOrigin = new URL(discord.apiRoot).origin;
  const sections: Record<Section, Json> = {
    telegram: { apiRoot: await route("telegram", telegram.apiRoot), botToken: telegram.token },
    discord: { apiRoot: `${await route("discord", discordOrigin)}/api`, token: discord.token },
    whatsapp: { authDir: link, ...QUICK_WHATSAPP },
  };
  const own = options.channels?.({ telegram, discord, whatsapp });
  const config: Json = {
    gateway: { mode: "local" },
    logging: { file: join(home.dir, "gateway.log") },
    web: QUICK_WEB,
    ...(typeof options.config === "function" ? options.config(home) : options.config),
    channels: Object.fromEntries(only.map((id) => [id, { ...sections[id], ...own?.[id] }])),
  };
  writeFileSync(join(home.state, "clawdbot.json"), JSON.stringify(config), { mode: 0o600 });
  const { env } = whatsapp;
  let running: Running | undefined;
  return {
    ...{ home, telegram, discord, whatsapp, env, config },
    async start() {
      return (running = await startGatewayProcess(home, { env }));
    },
    async close() {
      if (running) await running.kill("SIGKILL");
      await Promise.allSettled([telegram.close(), discord.stop(), whatsapp.close()]);
      home.remove();
    },
  };
}

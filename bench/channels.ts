/** Rows about chat networks: what three connected ones cost in memory, and that they do not delay the start. */
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

import { startDiscord } from "../test/fakes/discord.ts";
import { startTelegram } from "../test/fakes/telegram.ts";
import { startWhatsApp } from "../test/fakes/whatsapp/index.ts";
import { dial, type Home, makeHome, median, memory, type Row, startGateway } from "./harness.ts";

/** Memory settles once the start's garbage is collected, in ms. */
const SETTLE_MS = 3_000;
const NETWORKS = ["telegram", "discord", "whatsapp"] as const;

/** The networks as fakes in this process, and a home that leads to them. */
async function openHome(): Promise<{ home: Home; close(): Promise<void> }> {
  const telegram = await startTelegram({});
  const discord = await startDiscord();
  const whatsapp = startWhatsApp({ prekeys: 100 });
  const home = makeHome();
  const link = join(home.dir, "link");
  whatsapp.writeFolder(link);
  const path = join(home.state, "clawdbot.json");
  const config = JSON.parse(readFileSync(path, "utf8")) as Record<string, unknown>;
  config["channels"] = {
    telegram: { apiRoot: telegram.apiRoot, botToken: telegram.token },
    discord: { apiRoot: discord.apiRoot, token: discord.token },
    whatsapp: { authDir: link },
  };
  writeFileSync(path, JSON.stringify(config), { mode: 0o600 });
  Object.assign(home.env, whatsapp.env);
  return {
    home,
    async close() {
      await Promise.allSettled([telegram.close(), discord.stop(), whatsapp.close()]);
      home.remove();
    },
  };
}

/** Resolves when the gateway says that all of them are connected. */
async function connected(home: Home): Promise<void> {
  const client = await dial(home);
  try {
    for (;;) {
      const { channelAccounts } = await client.call("channels.status", {});
      if (NETWORKS.every((id) => channelAccounts[id]?.[0]?.connected)) return;
      await Bun.sleep(20);
    }
  } finally {
    client.close();
  }
}

export async function channelRows(runs: number): Promise<Row[]> {
  const { home, close } = await openHome();
  const plain = makeHome();
  try {
    const without: number[] = [];
    const withThem: number[] = [];
    // In turn, so that whatever else the machine does falls on both.
    for (let i = 0; i < runs; i++) {
      const none = await startGateway(plain);
      without.push(none.healthyMs);
      await none.stop();
      const all = await startGateway(home);
      withThem.push(all.healthyMs);
      // Linked and connected once, so that the starts that count are ordinary ones.
      if (i === 0) await connected(home);
      await all.stop();
    }
    const gateway = await startGateway(home);
    await connected(home);
    await Bun.sleep(SETTLE_MS);
    const idle = existsSync(`/proc/${gateway.pid}`) ? memory(gateway.pid, "VmRSS") : Number.NaN;
    await gateway.stop();
    return [
      { name: "spawn to /healthz without networks", value: median(without), unit: "ms" },
      {
        name: "spawn to /healthz with three networks",
        value: median(withThem),
        unit: "ms",
        bound: 100,
      },
      { name: "idle memory with three networks", value: idle, unit: "MB", bound: 110 },
    ];
  } finally {
    await close();
    plain.remove();
  }
}

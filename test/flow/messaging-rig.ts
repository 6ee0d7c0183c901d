/** Everything between a chat network and a model, as app.ts puts it together, on a fake of Telegram and a scripted model. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { Conversations } from "../../src/agent/conversation.ts";
import { openModels } from "../../src/agent/models.ts";
import { Closers } from "../../src/base/closers.ts";
import { readEnv } from "../../src/base/env.ts";
import { createLogging } from "../../src/base/logging.ts";
import { findPaths } from "../../src/base/paths.ts";
import { systemClock } from "../../src/base/time.ts";
import { openConfig } from "../../src/config/handle.ts";
import type { TurnEvent } from "../../src/flow.ts";
import { openMedia } from "../../src/media/open.ts";
import { type Messaging, openMessaging } from "../../src/messaging/open.ts";
import { openSqlite } from "../../src/store/sqlite/index.ts";
import type { Store } from "../../src/store/store.ts";
import { openJobs } from "../../src/tools/jobs.ts";
import { startAnthropic } from "../fakes/anthropic.ts";
import type { ModelServer } from "../fakes/model-server.ts";
import { startTelegram, type Telegram } from "../fakes/telegram.ts";

export type Rig = {
  telegram: Telegram;
  model: ModelServer;
  store: Store;
  messaging: Messaging;
  workspace: string;
  /** Events of all runs, in order. */
  events: TurnEvent[];
  /** Ends all of it without waiting for a turn that runs, and starts it anew on the same files. */
  restart(): Promise<void>;
  close(): Promise<void>;
};

export async function openRig(config: {
  telegram?: object;
  root?: Record<string, unknown>;
}): Promise<Rig> {
  const dir = mkdtempSync(join(tmpdir(), "clawdbot-messaging-"));
  const telegram = await startTelegram({});
  const model = await startAnthropic({});
  const state = join(dir, "state");
  const workspace = join(dir, "workspace");
  for (const path of [state, workspace]) mkdirSync(path, { mode: 0o700 });
  const file = {
    agents: { defaults: { model: "anthropic/claude-sonnet-4-5", workspace } },
    models: { providers: { anthropic: { baseUrl: model.url, apiKey: "sk-ant-test-key" } } },
    ...config.root,
    channels: {
      telegram: { apiRoot: telegram.apiRoot, botToken: telegram.token, ...config.telegram },
    },
  };
  writeFileSync(join(state, "clawdbot.json"), JSON.stringify(file), { mode: 0o600 });
  const env = readEnv({ HOME: dir, CLAWDBOT_STATE_DIR: state, PATH: process.env["PATH"] });
  const paths = findPaths(env, dir);
  const events: TurnEvent[] = [];

  async function start() {
    const closers = new Closers();
    const logging = createLogging({ dir: join(dir, "log"), consoleLevel: "silent" });
    closers.add("log", () => logging.close());
    const log = logging.logger("test");
    const clock = systemClock;
    const handle = await openConfig({ env, paths, log });
    const store = await openSqlite({ path: join(state, "store.sqlite"), log });
    closers.add("store", () => store.close());
    const models = openModels({ config: handle, store, clock, log });
    const jobs = openJobs({ clock, log, cleanupMs: 60_000, onExit: () => undefined });
    closers.add("commands", () => jobs.stop());
    const media = openMedia({ paths, denied: [paths.stateDir, paths.configPath], clock, log });
    closers.add("media", () => media.close());
    const conversations: Conversations = new Conversations({
      ...{ store, clock, log, paths, jobs },
      env: () => handle.env(),
      config: () => handle.current(),
      media: media.store,
      picture: (ref) => media.picture(ref),
      setting: (turn) => messaging.setting(turn),
      model: (settings, session, wanted) => models.forRun(settings, session, wanted),
    });
    const messaging: Messaging = openMessaging(
      {
        ...{ config: handle, paths, store, clock, logging, models, conversations },
        media: media.store,
        outgoing: media.outgoing,
        listen: true,
        say: async () => undefined,
        watch: (_, event) => void events.push(event),
        pairing: () => undefined,
        accountChanged: () => undefined,
        restart: () => undefined,
      },
      closers,
    );
    await messaging.recover();
    await messaging.started();
    return { store, messaging, close: () => closers.close(log) };
  }

  let now = await start();
  const end = async () => {
    await now.messaging.pipeline.stop(0);
    await now.close();
  };
  return {
    ...{ telegram, model, workspace, events },
    get store() {
      return now.store;
    },
    get messaging() {
      return now.messaging;
    },
    async restart() {
      await end();
      now = await start();
    },
    async close() {
      await end();
      await model.stop();
      await telegram.close();
      rmSync(dir, { recursive: true, force: true });
    },
  };
}

/** Health, connection, models and log: one honest page. */
import { useSignal } from "@preact/signals";
import type { ComponentChildren } from "preact";
import { useEffect } from "preact/hooks";

import { call, connected, hello, RpcError, signOut } from "../connection.ts";
import { Fact } from "../parts/fact.tsx";
import { LogTail } from "../parts/log-tail.tsx";
import { Status, useNow } from "../parts/status.tsx";
import { ThemeSwitch } from "../parts/theme-switch.tsx";
import { addModel, healthAt, models } from "../state.ts";
import { ago, fullTime, strings } from "../strings.ts";
import { systemWords } from "../strings/system.ts";
import { showError } from "../toasts.ts";

type Facts = {
  ok: boolean;
  at: number;
  version?: string;
  startedAt?: number;
  defaultModel?: string;
  conversations?: number;
  unfinished?: number;
  outgoing?: number;
  stateDir?: string;
  configPath?: string;
};

const number = (value: unknown) => (typeof value === "number" ? value : undefined);
const text = (value: unknown) => (typeof value === "string" ? value : undefined);

async function ask(probe: boolean): Promise<Facts> {
  const [health, status] = await Promise.all([call("health", { probe }), call("status", {})]);
  return {
    ok: health.ok === true,
    at: number(health.ts) ?? Date.now(),
    version: text(status.version),
    startedAt: number(status.startedAt),
    defaultModel: text(status.defaultModel),
    conversations: status.sessions.count,
    unfinished: number(status.unfinishedTurns),
    outgoing: number(status.pendingOutbox),
    stateDir: text(status.stateDir),
    configPath: text(status.configPath),
  };
}

export default function System() {
  const facts = useSignal<Facts | undefined>(undefined);
  const now = useNow(true);
  const load = async (probe: boolean) => {
    if (!connected.value) return;
    try {
      facts.value = await ask(probe);
    } catch (cause) {
      if (connected.value || !(cause instanceof RpcError)) showError(cause);
    }
  };
  useEffect(() => {
    document.title = `${systemWords.systemTitle} · ${strings.product}`;
  }, []);
  const online = connected.value;
  useEffect(() => void load(false), [online, healthAt.value]);
  const known = facts.value;
  const server = hello.value?.server;
  return (
    <section class="page-view" aria-labelledby="title">
      <header class="page-head">
        <h1 id="title">{systemWords.systemTitle}</h1>
      </header>
      <div class="cards">
        <Card
          title={systemWords.health}
          foot={
            <button type="button" class="button" disabled={!online} onClick={() => void load(true)}>
              {systemWords.checkAgain}
            </button>
          }
        >
          <Fact name={strings.status}>
            {known && (
              <span class="status">
                <span class={`dot ${!online ? "bad" : known.ok ? "good" : "bad"}`} />
                {!online ? strings.offline : known.ok ? systemWords.healthy : systemWords.unhealthy}
              </span>
            )}
          </Fact>
          <Fact name={systemWords.checkedAt}>{known && ago(known.at, now)}</Fact>
          <Fact name={systemWords.uptime}>{known?.startedAt && fullTime(known.startedAt)}</Fact>
          <Fact name={systemWords.conversations}>{known?.conversations?.toLocaleString()}</Fact>
          <Fact name={systemWords.unfinished}>{known?.unfinished?.toLocaleString()}</Fact>
          <Fact name={systemWords.outgoing}>{known?.outgoing?.toLocaleString()}</Fact>
        </Card>
        <Card
          title={systemWords.connection}
          foot={
            <button type="button" class="button" onClick={signOut}>
              {strings.signOut}
            </button>
          }
        >
          <Fact name={strings.status}>
            <Status />
          </Fact>
          <Fact name={systemWords.address}>{location.host}</Fact>
          <Fact name={systemWords.host}>{server?.host}</Fact>
          <Fact name={systemWords.version}>{known?.version ?? server?.version}</Fact>
          <Fact name={systemWords.protocol}>{hello.value?.protocol}</Fact>
        </Card>
        <Card
          title={systemWords.models}
          foot={
            <button type="button" class="button" onClick={addModel}>
              {strings.addModel}
            </button>
          }
        >
          <Fact name={systemWords.answersWith}>{known?.defaultModel}</Fact>
          <Fact name={systemWords.available}>{models.value.length || undefined}</Fact>
          {models.value.length > 0 && (
            <ul class="model-list">
              {models.value.slice(0, 100).map((model) => (
                <li key={model.ref}>
                  <span>{model.name}</span>
                  <code>{model.ref}</code>
                </li>
              ))}
            </ul>
          )}
        </Card>
        <Card title={systemWords.appearance}>
          <ThemeSwitch />
          <Fact name={systemWords.stateDir}>
            {known?.stateDir && <code>{known.stateDir}</code>}
          </Fact>
          <Fact name={systemWords.configPath}>
            {known?.configPath && <code>{known.configPath}</code>}
          </Fact>
        </Card>
      </div>
      <LogTail />
    </section>
  );
}

function Card({
  title,
  children,
  foot,
}: {
  title: string;
  children: ComponentChildren;
  foot?: ComponentChildren;
}) {
  return (
    <section class="card">
      <h2>{title}</h2>
      <dl>{children}</dl>
      {foot && <div class="card-foot">{foot}</div>}
    </section>
  );
}

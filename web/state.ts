/** The store of the page: what the views read. Fed by calls and events; views never talk to the gateway themselves. */
import { computed, signal } from "@preact/signals";

import { sessionKey as keyFor } from "../src/protocol/session-key.ts";
import { call, connected, hello, newId, onEvent, onHello, RpcError } from "./connection.ts";
import { keep, type Theme } from "./keep.ts";
import { discard, flush, markStopped, onOver } from "./outbox.ts";
import { go, route } from "./router.ts";
import { strings } from "./strings.ts";
import { Thread } from "./thread.ts";
import { later, settle, showError } from "./toasts.ts";
import type { AgentEvent, ChatEvent, ModelItem, SessionItem } from "./wire.ts";

/** Rows per page of the session list. */
const PAGE = 50;

export const mainKey = computed(() => {
  const defaults = hello.value?.snapshot.sessionDefaults;
  return defaults?.mainSessionKey ?? keyFor(defaults?.defaultAgentId ?? "main");
});
/** The conversation that the chat page shows. */
export const currentKey = computed(() =>
  route.value.page === "chat" ? (route.value.sessionKey ?? mainKey.value) : undefined,
);

const threads = new Map<string, Thread>();
export function threadOf(key: string): Thread {
  let thread = threads.get(key);
  if (!thread) threads.set(key, (thread = new Thread(key)));
  return thread;
}

// Sessions

export const sessions = signal<SessionItem[]>([]);
/** Undefined: all are shown. */
export const moreSessions = signal<number | undefined>(undefined);
export const sessionsLoaded = signal(false);
export const sessionSearch = signal("");
/** Deleted on screen; the deletion itself still waits for the undo to run out. */
const gone = signal<ReadonlySet<string>>(new Set());
export const visibleSessions = computed(() =>
  sessions.value.filter((item) => !gone.value.has(item.key)),
);

/** The model that answers when nobody chose one, as `provider/model`. */
export const defaultModel = signal<string | undefined>(undefined);
export const models = signal<ModelItem[]>([]);
const refOf = (provider?: string | null, model?: string | null) =>
  model ? (model.includes("/") || !provider ? model : `${provider}/${model}`) : undefined;
export const sessionOf = (key: string): SessionItem | undefined =>
  sessions.value.find((item) => item.key === key);
export const modelOf = (key: string): string | undefined => {
  const item = sessionOf(key);
  return refOf(item?.modelProvider, item?.model) ?? defaultModel.value;
};
export const isDemo = (ref: string | undefined): boolean => ref?.split("/")[0] === "demo";

const listing = { now: false, again: false };

/** The first page of the list, for the search that is typed; again when something changed meanwhile. */
export async function loadSessions(): Promise<void> {
  if (!connected.value) return;
  if (listing.now) return void (listing.again = true);
  listing.now = true;
  try {
    await listPage(undefined);
  } finally {
    listing.now = false;
  }
  if (!listing.again) return;
  listing.again = false;
  await loadSessions();
}

export async function loadMoreSessions(): Promise<void> {
  if (moreSessions.value !== undefined) await listPage(moreSessions.value);
}

async function listPage(before: number | undefined): Promise<void> {
  const search = sessionSearch.value.trim();
  try {
    const answer = await call("sessions.list", {
      limit: PAGE,
      includeDerivedTitles: true,
      includeLastMessage: true,
      ...(search ? { search } : {}),
      ...(before === undefined ? {} : { before }),
    });
    if (search !== sessionSearch.value.trim()) return;
    const known = new Set(before === undefined ? [] : sessions.value.map((item) => item.key));
    sessions.value = [
      ...(before === undefined ? [] : sessions.value),
      ...answer.sessions.filter((item) => !known.has(item.key)),
    ];
    const oldest = answer.sessions.at(-1)?.updatedAt;
    const full = answer.sessions.length >= PAGE;
    moreSessions.value = answer.nextBefore ?? (full && oldest ? oldest : undefined);
    defaultModel.value = refOf(answer.defaults?.modelProvider, answer.defaults?.model);
    sessionsLoaded.value = true;
  } catch (cause) {
    if (connected.value || !(cause instanceof RpcError)) showError(cause);
  }
}

export const titleOf = (item: SessionItem | undefined, key: string): string =>
  item?.label ||
  item?.derivedTitle ||
  item?.displayName ||
  (key === mainKey.value ? strings.mainConversation : strings.newConversation);

/** Opens an empty conversation. It begins to exist with its first message. */
export function startConversation(): void {
  const agent = hello.value?.snapshot.sessionDefaults.defaultAgentId ?? "main";
  go({ page: "chat", sessionKey: keyFor(agent, `chat-${newId().slice(0, 10)}`) });
}

export async function renameSession(key: string, label: string): Promise<boolean> {
  try {
    await call("sessions.patch", { key, label: label.trim() || null });
    await loadSessions();
    return true;
  } catch (cause) {
    showError(cause);
    return false;
  }
}

export async function chooseModel(key: string, model: string | null): Promise<void> {
  try {
    await call("sessions.patch", { key, model });
    await loadSessions();
  } catch (cause) {
    showError(cause);
  }
}

/** Empties a conversation in five seconds, unless it is taken back. */
export function resetSession(key: string): void {
  settle(key);
  const thread = threadOf(key);
  thread.hidden.value = true;
  const show = () => (thread.hidden.value = false);
  const reset = async () => {
    try {
      await call("sessions.reset", { key });
      await thread.load();
      await loadSessions();
    } catch (cause) {
      showError(cause);
    } finally {
      show();
    }
  };
  later(strings.resetDone, key, () => void reset(), show);
}

/** Deletes a conversation in five seconds, unless it is taken back. */
export function deleteSession(key: string): void {
  settle(key);
  gone.value = new Set([...gone.value, key]);
  const show = () => (gone.value = new Set([...gone.value].filter((k) => k !== key)));
  if (currentKey.value === key) go({ page: "chat" }, { replace: true });
  const remove = async () => {
    try {
      await call("sessions.delete", { key, deleteTranscript: true });
      threads.delete(key);
      keep.setDraft(key, "");
      await loadSessions();
    } catch (cause) {
      showError(cause);
    } finally {
      show();
    }
  };
  later(strings.deleteDone, key, () => void remove(), show);
}

// Looks

export const theme = signal<Theme>(keep.theme());
export function setTheme(next: Theme): void {
  theme.value = next;
  keep.setTheme(next);
}
export const paletteOpen = signal(false);
export const modelHelpOpen = signal(false);
export const setUpOpen = signal(false);
/** The config is made by Nix: nothing here can change it. */
export const nixMode = computed(() => hello.value?.snapshot.nixMode === true);
export const nixHelpOpen = signal(false);
/** The gateway can be set up from here. */
export const canSetUp = computed(
  () => !nixMode.value && hello.value?.features.methods.includes("wizard.start") === true,
);
/** Opens what helps to get a real model: the set-up, or the words about it. */
export function addModel(): void {
  if (canSetUp.value) setUpOpen.value = true;
  else modelHelpOpen.value = true;
}

// Events

const waiting: { list?: ReturnType<typeof setTimeout> } = {};
/** The list is fetched a moment after the last change, not at each. */
function listSoon(): void {
  clearTimeout(waiting.list);
  waiting.list = setTimeout(() => void loadSessions(), 300);
}

/** What the gateway said about its own end, until it is back. */
export const shutdown = signal<{ restartExpectedMs: number | null } | undefined>(undefined);
export const healthAt = signal<number | undefined>(undefined);
const counter = { last: undefined as number | undefined };

export function startStore(): void {
  onHello(() => {
    counter.last = undefined;
    shutdown.value = undefined;
    if (currentKey.value) void threadOf(currentKey.value).load();
    void loadSessions();
    flush();
    void loadModels();
  });
  onOver((row) => {
    const thread = threadOf(row.sessionKey);
    void thread.load().then(() => {
      const oldest = thread.messages.value[0]?.timestamp ?? 0;
      // Answered so long ago that its message is further back than what is known.
      if (thread.nextBefore.value !== undefined && row.at < oldest) discard(row.key);
      else markStopped(row.key);
    });
  });
  onEvent(({ event, payload, seq }) => {
    if (event === "agent") {
      const body = payload as AgentEvent;
      if (body.sessionKey) threads.get(body.sessionKey)?.onAgent(body);
    } else if (event === "chat") {
      const body = payload as ChatEvent;
      threads.get(body.sessionKey)?.onChat(body);
      if (body.state !== "delta") listSoon();
    } else if (event === "shutdown") shutdown.value = payload as typeof shutdown.value;
    else if (event === "health") healthAt.value = Date.now();
    // A hole in the numbers: the server dropped something for us, so what is on screen is asked for again.
    if (seq === undefined) return;
    if (counter.last !== undefined && seq > counter.last + 1 && currentKey.value)
      void threadOf(currentKey.value).load();
    counter.last = seq;
  });
}

export async function loadModels(): Promise<void> {
  try {
    models.value = (await call("models.list", {})).models;
  } catch (cause) {
    if (connected.value || !(cause instanceof RpcError)) showError(cause);
  }
}

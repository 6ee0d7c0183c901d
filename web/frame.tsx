/** What stands around every page: navigation, connection, dialogs, keyboard. */
import { useEffect, useLayoutEffect, useRef } from "preact/hooks";

import { connection, hello, obstacle } from "./connection.ts";
import { Lazy } from "./lazy.tsx";
import { IconButton } from "./parts/icon-button.tsx";
import { Icon, Mark } from "./parts/icons.tsx";
import { RouteLink } from "./parts/link.tsx";
import { NixBar } from "./parts/nix.tsx";
import { Palette } from "./parts/palette.tsx";
import { RenameDialog, Where } from "./parts/session-actions.tsx";
import { Status, StatusAnnouncer } from "./parts/status.tsx";
import { Toasts } from "./parts/toast-list.tsx";
import { waiting } from "./people.ts";
import { type Route, route } from "./router.ts";
import {
  currentKey,
  mainKey,
  modelHelpOpen,
  nixHelpOpen,
  paletteOpen,
  setUpOpen,
  startConversation,
  theme,
  threadOf,
  titleOf,
  visibleSessions,
} from "./state.ts";
import { strings } from "./strings.ts";
import Chat from "./views/chat.tsx";
import SignIn from "./views/sign-in.tsx";

const PAGES = [
  { page: "chat", icon: "chat", name: strings.chat },
  { page: "sessions", icon: "list", name: strings.sessions },
  { page: "channels", icon: "channels", name: strings.channels },
  { page: "messages", icon: "inbox", name: strings.messages },
  { page: "system", icon: "system", name: strings.system },
] as const;
/** Conversations in the rail. */
const RECENT = 12;

const mac = /mac|iphone|ipad/i.test(navigator.platform);

function useKeys(): void {
  useEffect(() => {
    const onKey = (event: KeyboardEvent) => {
      const target = event.target as HTMLElement;
      const typing = /^(input|textarea|select)$/i.test(target.tagName);
      const dialog = document.querySelector("dialog[open]") !== null;
      if (event.key.toLowerCase() === "k" && (mac ? event.metaKey : event.ctrlKey)) {
        event.preventDefault();
        paletteOpen.value = !paletteOpen.value && !dialog;
      } else if (event.key === "Escape" && !dialog && !event.isComposing && currentKey.value) {
        const thread = threadOf(currentKey.value);
        if (thread.active.value) void thread.stop();
      } else if (event.key === "/" && !typing && !dialog) {
        const box = document.getElementById("message");
        if (!box) return;
        event.preventDefault();
        box.focus();
      }
    };
    addEventListener("keydown", onKey);
    return () => removeEventListener("keydown", onKey);
  }, []);
}

function useTheme(): void {
  const chosen = theme.value;
  useLayoutEffect(() => {
    if (chosen === "system") delete document.documentElement.dataset.theme;
    else document.documentElement.dataset.theme = chosen;
  }, [chosen]);
}

function View({ at }: { at: Route }) {
  switch (at.page) {
    case "chat":
      return <Chat key={currentKey.value} sessionKey={currentKey.value ?? mainKey.value} />;
    case "sessions":
      return <Lazy>{({ Sessions }) => <Sessions />}</Lazy>;
    case "channels":
      return <Lazy>{({ Channels }) => <Channels />}</Lazy>;
    case "messages":
      return <Lazy>{({ Messages }) => <Messages at={at} />}</Lazy>;
    case "system":
      return <Lazy>{({ System }) => <System />}</Lazy>;
    case "missing":
      return <Lazy>{({ Missing }) => <Missing />}</Lazy>;
  }
}

function PageLinks({ class: kind }: { class: string }) {
  const at = route.value;
  return (
    <ul class={kind}>
      {PAGES.map(({ page, icon, name }) => (
        <li key={page}>
          <RouteLink to={{ page }} aria-current={at.page === page ? "page" : undefined}>
            <Icon name={icon} />
            <span>{name}</span>
            {page === "channels" && <Badge />}
          </RouteLink>
        </li>
      ))}
    </ul>
  );
}

/** How many strangers wait to be let in. */
function Badge() {
  const count = waiting.value.length;
  if (!count) return null;
  return (
    <>
      <span class="badge" aria-hidden="true">
        {count > 99 ? "99+" : count}
      </span>
      <span class="sr-only">({strings.peopleWait(count)})</span>
    </>
  );
}

function Rail() {
  const recent = visibleSessions.value.slice(0, RECENT);
  return (
    <nav class="rail" aria-label={strings.mainNavigation}>
      <div class="brand">
        <Mark />
        <span>{strings.product}</span>
      </div>
      <button type="button" class="button wide" onClick={startConversation}>
        <Icon name="plus" />
        {strings.newConversation}
      </button>
      <PageLinks class="rail-pages" />
      {recent.length > 0 && (
        <div class="recent">
          <h2>{strings.recent}</h2>
          <ul>
            {recent.map((item) => (
              <li key={item.key}>
                <RouteLink
                  to={{ page: "chat", sessionKey: item.key }}
                  aria-current={item.key === currentKey.value ? "true" : undefined}
                >
                  <span dir="auto">{titleOf(item, item.key)}</span>
                  <Where item={item} />
                </RouteLink>
              </li>
            ))}
          </ul>
        </div>
      )}
      <div class="rail-foot">
        <Status />
        <button
          type="button"
          class="quiet keys"
          onClick={() => (paletteOpen.value = true)}
          aria-label={strings.commands}
          title={strings.commands}
        >
          <kbd>{mac ? "⌘" : "Ctrl"} K</kbd>
        </button>
      </div>
    </nav>
  );
}

export function Frame() {
  useKeys();
  useTheme();
  const found = obstacle.value;
  const shut = found && (found.kind !== "unreachable" || !hello.value);
  // The form stays where it is while what was typed into it is being tried.
  const atDoor = useRef(false);
  atDoor.current = !!shut || (atDoor.current && connection.value.kind === "connecting");
  if (atDoor.current || !hello.value)
    return (
      <>
        {atDoor.current ? (
          <SignIn />
        ) : (
          <main class="door late" aria-busy="true">
            {strings.connecting}
          </main>
        )}
        <Toasts />
      </>
    );
  const focusMain = (event: Event) => {
    event.preventDefault();
    (document.getElementById("message") ?? document.getElementById("main"))?.focus();
  };
  return (
    <div class="app">
      <a class="skip" href="#main" onClick={focusMain}>
        {strings.skip}
      </a>
      <Rail />
      <div class="top-bar">
        <Mark />
        <Status />
        <IconButton icon="plus" label={strings.newConversation} onClick={startConversation} />
      </div>
      <main class="main" id="main" tabIndex={-1}>
        <NixBar />
        <View at={route.value} />
      </main>
      <nav class="bottom-bar" aria-label={strings.mainNavigation}>
        <PageLinks class="bottom-pages" />
      </nav>
      <Toasts />
      <StatusAnnouncer />
      <Palette />
      <RenameDialog />
      {modelHelpOpen.value && <Lazy quiet>{({ ModelHelp }) => <ModelHelp />}</Lazy>}
      {setUpOpen.value && <Lazy quiet>{({ SetUp }) => <SetUp />}</Lazy>}
      {nixHelpOpen.value && <Lazy quiet>{({ NixHelp }) => <NixHelp />}</Lazy>}
    </div>
  );
}

/** Everything that can be done, by its name: Cmd-K or Ctrl-K. */
import { useState } from "preact/hooks";

import { signOut } from "../connection.ts";
import { go } from "../router.ts";
import {
  addModel,
  currentKey,
  deleteSession,
  mainKey,
  paletteOpen,
  resetSession,
  setTheme,
  startConversation,
  threadOf,
  titleOf,
  visibleSessions,
} from "../state.ts";
import { strings } from "../strings.ts";
import { Dialog } from "./dialog.tsx";
import { Icon, type IconName } from "./icons.tsx";
import { renaming } from "./session-actions.tsx";

type Action = { icon: IconName; name: string; run(): void };

function actions(): Action[] {
  const key = currentKey.value;
  const here: Action[] = key
    ? [
        ...(threadOf(key).active.value
          ? [{ icon: "stop" as const, name: strings.stop, run: () => void threadOf(key).stop() }]
          : []),
        { icon: "edit", name: strings.rename, run: () => (renaming.value = key) },
        { icon: "fresh", name: strings.startAgain, run: () => resetSession(key) },
        ...(key === mainKey.value
          ? []
          : [{ icon: "bin" as const, name: strings.remove, run: () => deleteSession(key) }]),
      ]
    : [];
  return [
    { icon: "plus", name: strings.newConversation, run: startConversation },
    ...here,
    { icon: "chat", name: strings.goTo(strings.chat), run: () => go({ page: "chat" }) },
    { icon: "list", name: strings.goTo(strings.sessions), run: () => go({ page: "sessions" }) },
    { icon: "channels", name: strings.goTo(strings.channels), run: () => go({ page: "channels" }) },
    { icon: "inbox", name: strings.goTo(strings.messages), run: () => go({ page: "messages" }) },
    { icon: "system", name: strings.goTo(strings.system), run: () => go({ page: "system" }) },
    { icon: "bulb", name: strings.addModel, run: addModel },
    { icon: "sun", name: strings.themeTo(strings.themeLight), run: () => setTheme("light") },
    { icon: "moon", name: strings.themeTo(strings.themeDark), run: () => setTheme("dark") },
    { icon: "auto", name: strings.themeTo(strings.themeSystem), run: () => setTheme("system") },
    { icon: "out", name: strings.signOut, run: signOut },
    ...visibleSessions.value.map((item) => ({
      icon: "chat" as const,
      name: titleOf(item, item.key),
      run: () => go({ page: "chat", sessionKey: item.key }),
    })),
  ];
}

export function Palette() {
  return paletteOpen.value ? <PaletteBox /> : null;
}

function PaletteBox() {
  const [query, setQuery] = useState("");
  const [chosen, setChosen] = useState(0);
  const words = query.toLowerCase().split(/\s+/).filter(Boolean);
  const found = actions()
    .filter(({ name }) => words.every((word) => name.toLowerCase().includes(word)))
    .slice(0, 12);
  const close = () => (paletteOpen.value = false);
  const run = (action: Action | undefined) => {
    if (!action) return;
    close();
    action.run();
  };
  return (
    <Dialog title={strings.paletteTitle} close={close} class="palette" bare>
      <div class="palette-input">
        <Icon name="search" />
        <input
          autofocus
          role="combobox"
          aria-expanded="true"
          aria-controls="palette-list"
          aria-activedescendant={found.length ? `palette-${chosen}` : undefined}
          aria-label={strings.palettePlaceholder}
          placeholder={strings.palettePlaceholder}
          value={query}
          onInput={(event) => {
            setQuery(event.currentTarget.value);
            setChosen(0);
          }}
          onKeyDown={(event) => {
            const step = event.key === "ArrowDown" ? 1 : event.key === "ArrowUp" ? -1 : 0;
            if (step && found.length) {
              event.preventDefault();
              setChosen((chosen + step + found.length) % found.length);
            }
            if (event.key === "Enter" && !event.isComposing) {
              event.preventDefault();
              run(found[chosen]);
            }
          }}
        />
      </div>
      <ul class="menu" id="palette-list" role="listbox" aria-label={strings.paletteTitle}>
        {found.map((action, i) => (
          <li
            key={action.name + i}
            id={`palette-${i}`}
            role="option"
            aria-selected={i === chosen}
            onPointerMove={() => setChosen(i)}
            onClick={() => run(action)}
          >
            <Icon name={action.icon} />
            <span dir="auto">{action.name}</span>
          </li>
        ))}
      </ul>
      {found.length === 0 && <p class="muted palette-empty">{strings.paletteEmpty}</p>}
    </Dialog>
  );
}

/** The message box: grows with its text, keeps a draft per conversation, takes pictures, knows the commands that exist. */
import { useEffect, useLayoutEffect, useRef, useState } from "preact/hooks";

import { connected, hello } from "../connection.ts";
import { keep } from "../keep.ts";
import { type Attachment, post } from "../outbox.ts";
import { resetSession } from "../state.ts";
import { sizeOf, strings } from "../strings.ts";
import type { Thread } from "../thread.ts";
import { settle } from "../toasts.ts";
import { dataUrl, MAX_IMAGES, readImages } from "./attachments.ts";
import { IconButton } from "./icon-button.tsx";
import { Icon } from "./icons.tsx";
import { ModelChoice } from "./model-choice.tsx";

type Command = { name: string; doc: string; run(thread: Thread): void };
const COMMANDS: Command[] = [
  { name: "/new", doc: strings.slashNew, run: (thread) => resetSession(thread.key) },
  { name: "/stop", doc: strings.slashStop, run: (thread) => void thread.stop() },
];
/** On a touch keyboard Enter is how one gets a new line; the button sends. */
const touch = () => matchMedia("(pointer: coarse)").matches;

/** Characters of one message, as the gateway counts them. */
const MAX_TEXT = 1_000_000;
/** What a request has around its text and pictures, generously. */
const ENVELOPE = 10_000;

/** Why this cannot be sent; undefined when it can. */
function tooMuch(text: string, images: Attachment[]): string | undefined {
  const { length } = text.trim();
  if (length > MAX_TEXT) return strings.textTooLong(length);
  const most = hello.value?.policy.maxPayload;
  const pictures = images.reduce((sum, image) => sum + image.content.length, 0);
  // Only pictures can reach it. A character is at most six bytes in JSON (`\u0000`).
  if (most === undefined || pictures + length * 6 + ENVELOPE <= most) return undefined;
  const size = pictures + new Blob([JSON.stringify(text)]).size + ENVELOPE;
  return size <= most ? undefined : strings.messageTooLarge(sizeOf(size), sizeOf(most));
}

export function Composer({ thread, sent }: { thread: Thread; sent: () => void }) {
  const [text, setText] = useState(() => keep.draft(thread.key));
  const [images, setImages] = useState<Attachment[]>([]);
  /** Files that are being read. */
  const [reading, setReading] = useState(0);
  const [chosen, setChosen] = useState(0);
  const [menuClosed, setMenuClosed] = useState(false);
  const [dropping, setDropping] = useState(false);
  const box = useRef<HTMLTextAreaElement>(null);
  const picker = useRef<HTMLInputElement>(null);

  useLayoutEffect(() => {
    const area = box.current;
    if (!area) return;
    area.style.height = "auto";
    area.style.height = `${area.scrollHeight}px`;
  }, [text]);
  useEffect(() => {
    if (!touch()) box.current?.focus();
  }, []);

  const write = (next: string) => {
    setText(next);
    setChosen(0);
    setMenuClosed(false);
    keep.setDraft(thread.key, next);
  };
  const problem = tooMuch(text, images);
  const matches =
    menuClosed || !/^\/\w*$/.test(text)
      ? []
      : COMMANDS.filter(({ name }) => name.startsWith(text.toLowerCase()));

  const run = (command: Command) => {
    write("");
    command.run(thread);
  };
  const send = () => {
    const exact = COMMANDS.find(({ name }) => name === text.trim().toLowerCase());
    if (exact) return run(exact);
    if ((!text.trim() && !images.length) || reading || problem) return;
    settle(thread.key);
    post(thread.key, text.trim(), images);
    write("");
    setImages([]);
    sent();
  };
  const take = (files: Iterable<File>) => void read([...files]);
  const read = async (files: File[]) => {
    setReading((n) => n + 1);
    try {
      const more = await readImages(files, MAX_IMAGES - images.length);
      setImages((before) => [...before, ...more].slice(0, MAX_IMAGES));
    } finally {
      setReading((n) => n - 1);
    }
  };

  const onKeyDown = (event: KeyboardEvent) => {
    // Enter that picks a word of an input method is not ours (Safari says so by 229 only).
    if (event.isComposing || event.keyCode === 229) return;
    if (matches.length) {
      const step = event.key === "ArrowDown" ? 1 : event.key === "ArrowUp" ? -1 : 0;
      if (step) {
        event.preventDefault();
        return setChosen((chosen + step + matches.length) % matches.length);
      }
      if (event.key === "Escape") {
        event.stopPropagation();
        return setMenuClosed(true);
      }
      if (event.key === "Tab" && !event.shiftKey) {
        event.preventDefault();
        return write(matches[chosen]!.name);
      }
      if (event.key === "Enter" && !event.shiftKey) {
        event.preventDefault();
        return run(matches[chosen]!);
      }
    }
    if (event.key !== "Enter" || event.shiftKey || event.altKey || touch()) return;
    event.preventDefault();
    send();
  };

  const filled = text.trim() !== "" || images.length > 0;
  const active = thread.active.value;
  return (
    <form
      class={`composer${dropping ? " dropping" : ""}`}
      onSubmit={(event) => {
        event.preventDefault();
        send();
      }}
      onDragOver={(event) => {
        if (!event.dataTransfer?.types.includes("Files")) return;
        event.preventDefault();
        setDropping(true);
      }}
      onDragLeave={() => setDropping(false)}
      onDrop={(event) => {
        event.preventDefault();
        setDropping(false);
        take(event.dataTransfer?.files ?? []);
      }}
    >
      {matches.length > 0 && (
        <ul class="menu slash" id="slash" role="listbox" aria-label={strings.slashCommands}>
          {matches.map((command, i) => (
            <li
              key={command.name}
              id={`slash-${i}`}
              role="option"
              aria-selected={i === chosen}
              onPointerDown={(event) => {
                event.preventDefault();
                run(command);
              }}
            >
              <code>{command.name}</code>
              <span>{command.doc}</span>
            </li>
          ))}
        </ul>
      )}
      {images.length > 0 && (
        <ul class="previews">
          {images.map((image) => (
            <li key={image.content.slice(0, 64) + image.fileName}>
              <img src={dataUrl(image)} alt={image.fileName} />
              <button
                type="button"
                aria-label={strings.removeImage(image.fileName)}
                onClick={() => setImages(images.filter((other) => other !== image))}
              >
                <Icon name="cross" />
              </button>
            </li>
          ))}
        </ul>
      )}
      <textarea
        ref={box}
        id="message"
        rows={1}
        dir="auto"
        value={text}
        aria-label={strings.message}
        placeholder={dropping ? strings.dropImage : strings.messagePlaceholder}
        aria-autocomplete={matches.length ? "list" : undefined}
        aria-controls={matches.length ? "slash" : undefined}
        aria-activedescendant={matches.length ? `slash-${chosen}` : undefined}
        enterkeyhint={touch() ? "enter" : "send"}
        onInput={(event) => write(event.currentTarget.value)}
        onKeyDown={onKeyDown}
        onPaste={(event) => {
          const files = [...(event.clipboardData?.files ?? [])];
          if (!files.length) return;
          event.preventDefault();
          take(files);
        }}
      />
      {(problem || reading > 0) && (
        <p class={problem ? "composer-note bad" : "composer-note late"} role="status">
          {problem ?? strings.readingImage}
        </p>
      )}
      <div class="composer-foot">
        <input
          ref={picker}
          type="file"
          hidden
          multiple
          accept="image/png,image/jpeg,image/gif,image/webp"
          onChange={(event) => {
            take(event.currentTarget.files ?? []);
            event.currentTarget.value = "";
          }}
        />
        <IconButton icon="image" label={strings.attach} onClick={() => picker.current?.click()} />
        <ModelChoice sessionKey={thread.key} />
        <span class="grow" />
        {active && (
          <button
            type="button"
            class="round stop"
            disabled={!connected.value}
            aria-label={strings.stop}
            title={`${strings.stop} (Esc)`}
            onClick={() => void thread.stop()}
          >
            <Icon name="stop" />
          </button>
        )}
        {(!active || filled) && (
          <button
            type="submit"
            class="round send"
            aria-label={strings.send}
            title={strings.send}
            disabled={!filled || !!problem || reading > 0}
          >
            <Icon name="send" />
          </button>
        )}
      </div>
    </form>
  );
}

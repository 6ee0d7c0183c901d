/** The terminal UI: keys in, frames out. Ends with the exit code; whatever happens, the terminal is given back as it was. */
import { VERSION } from "../../base/brand.ts";
import type { AppError } from "../../base/errors.ts";
import { formatAge } from "../../base/time.ts";
import { parseKey, sessionKey } from "../../protocol/session-key.ts";
import type { Cli } from "../command.ts";
import { Menu } from "./input/complete.ts";
import { Editor } from "./input/editor.ts";
import type { Key } from "./input/keys.ts";
import { allCommands, helpText, localCommand } from "./input/local.ts";
import { type Choice, Picker } from "./input/picker.ts";
import { Painter } from "./screen/frame.ts";
import type { Look } from "./screen/items.ts";
import { openTerminal, type Terminal } from "./screen/terminal.ts";
import { cleanText, themeOf } from "./screen/text.ts";
import { Transcript } from "./screen/transcript.ts";
import { liveView } from "./screen/view.ts";
import { Talk, type TalkOptions } from "./talk/talk.ts";

export type ChatOptions = Pick<
  TalkOptions,
  "target" | "session" | "thinking" | "timeoutMs" | "historyLimit"
> & {
  /** Sent as soon as the conversation is there. */
  message: string | undefined;
};

/** At most 30 frames a second. */
const FRAME_MS = 33;
/** The clock of a running answer. */
const TICK_MS = 1000;
/** How long a second Ctrl-C counts, in ms. */
const TWICE_MS = 2000;

/** Resolves with the exit code. Throws AppError when the gateway refuses, and whatever nobody caught. */
export function chatInTerminal(cli: Cli, options: ChatOptions): Promise<number> {
  return new Chat(cli, options).run();
}

class Chat {
  private readonly over = Promise.withResolvers<number>();
  private readonly talk: Talk;
  private readonly editor = new Editor();
  private readonly menu = new Menu();
  private readonly painter = new Painter();
  private readonly transcript = new Transcript();
  private readonly theme;
  private terminal: Terminal | undefined;
  private picker: { list: Picker; take(choice: Choice): void } | undefined;
  private notice: { text: string; until: number } | undefined;
  private unfolded = false;
  private redraw = false;
  private timer: ReturnType<typeof setTimeout> | undefined;
  private dueAt = 0;
  private paintedAt = 0;

  constructor(
    private readonly cli: Cli,
    private readonly options: ChatOptions,
  ) {
    this.theme = themeOf(cli.out.colour);
    const { message: _, ...talk } = options;
    this.talk = new Talk({
      ...talk,
      changed: () => this.changed(),
      failed: (error: AppError) => this.over.reject(error),
      giveBack: (text) => {
        if (this.editor.isEmpty) this.editor.set(text);
        else this.editor.remember(text);
        this.changed();
      },
    });
  }

  async run(): Promise<number> {
    this.terminal = openTerminal(this.cli.out, {
      key: (key) => {
        this.press(key);
        this.changed();
      },
      resized: () => {
        this.redraw = true;
        this.changed();
      },
      ended: (code) => this.over.resolve(code),
      failed: (cause) => this.over.reject(cause),
    });
    try {
      this.talk.say(`clawdbot ${VERSION} · /help has the keys and commands`);
      this.talk.start().then(() => {
        const { message } = this.options;
        if (message?.trim()) this.talk.send(message);
      }, this.over.reject);
      return await this.over.promise;
    } finally {
      this.close();
    }
  }

  private close(): void {
    this.talk.close();
    clearTimeout(this.timer);
    try {
      this.paint(true);
    } finally {
      this.terminal?.close();
    }
    for (const { text } of this.talk.unsent) this.cli.out.note(`Not sent: ${cleanText(text)}`);
  }

  /** Something is new; the next frame shows it. */
  private changed(): void {
    this.schedule(FRAME_MS);
  }

  private schedule(inMs: number): void {
    const now = performance.now();
    const due = inMs === FRAME_MS ? Math.max(now, this.paintedAt + FRAME_MS) : now + inMs;
    if (this.timer && this.dueAt <= due) return;
    clearTimeout(this.timer);
    this.dueAt = due;
    this.timer = setTimeout(() => {
      this.timer = undefined;
      try {
        this.paint();
      } catch (cause) {
        this.over.reject(cause);
      }
    }, due - now);
  }

  private get look(): Look {
    const { columns } = this.terminal!.size();
    return { width: columns, theme: this.theme, unfolded: this.unfolded };
  }

  /** @param last only what is finished stays on the screen */
  private paint(last = false): void {
    const { terminal, talk, look } = this;
    if (!terminal) return;
    const { rows } = terminal.size();
    let out = "";
    let done: string[] = [];
    if (this.redraw && !last) {
      this.redraw = false;
      const { above, lines } = this.transcript.again(rows, look);
      out = this.painter.rewind(above, look.width);
      done = lines;
    }
    // As one list: a call takes no hundred thousand arguments.
    done = done.concat(this.transcript.add(talk.take(), look));
    this.paintedAt = performance.now();
    if (last) {
      const left = this.painter.leave();
      return terminal.write(left + done.map((line) => `${line}\r\n`).join(""));
    }
    const now = Date.now();
    if (this.notice && this.notice.until <= now) this.notice = undefined;
    const view = liveView(
      {
        key: talk.key,
        info: talk.info,
        connection: talk.state,
        now: talk.now,
        pending: talk.pending,
        editor: this.editor,
        menu: this.menu,
        picker: this.picker?.list,
        notice: this.notice?.text,
        time: now,
      },
      rows,
      look,
    );
    terminal.write(out + this.painter.paint({ done, ...view }));
    if (this.notice) this.schedule(Math.max(1, this.notice.until - now));
    else if (talk.now) this.schedule(TICK_MS);
  }

  private press(key: Key): void {
    if (this.picker) return this.pick(key);
    if (key.kind === "key") return this.command(key.name);
    this.editor.insert(key.text);
    this.complete();
    if (this.talk.state.kind === "waiting") this.talk.retry();
  }

  private complete(): void {
    this.menu.update(this.editor.text, allCommands(this.talk.commands));
  }

  private command(name: string): void {
    const { editor, menu, talk } = this;
    const actions: Record<string, () => void> = {
      enter: () => this.enter(),
      tab: () => {
        if (menu.chosen) editor.set(menu.chosen);
      },
      escape: () => {
        if (menu.open) return menu.close(editor.text);
        if (talk.stop()) this.tell("Stopping …");
      },
      "ctrl+c": () => this.interrupt(),
      "ctrl+p": () => this.chooseSession(),
      "ctrl+g": () => this.chooseAgent(),
      "ctrl+l": () => this.chooseModel(),
      "ctrl+o": () => this.unfold(),
      "ctrl+r": () => (this.redraw = true),
    };
    if (name === "ctrl+d" && editor.isEmpty) return this.over.resolve(0);
    if (menu.open && (name === "up" || name === "down")) return menu.move(name === "up" ? -1 : 1);
    const action = actions[name];
    if (action) action();
    else editor.press(name);
    if (name !== "escape") this.complete();
  }

  private enter(): void {
    const { editor, talk } = this;
    // A backslash before Enter is for terminals that have no other way to begin a line.
    if (editor.beforeCursor.endsWith("\\")) {
      editor.press("backspace");
      return editor.insert("\n");
    }
    if (this.finishCommand()) return;
    const text = editor.take();
    if (!text.trim()) return;
    const local = localCommand(text);
    if (local) return this.local(local.name, local.rest);
    if (talk.key === "") return editor.set(text);
    talk.send(text);
    talk.retry();
  }

  /** The beginning of a command is taken for the whole one. @returns whether it still wants an argument */
  private finishCommand(): boolean {
    const { editor, menu } = this;
    const { chosen } = menu;
    const typed = /^\/(\S+)$/.exec(editor.text)?.[1]?.toLowerCase();
    const isWhole = allCommands(this.talk.commands).some(({ name }) => name === typed);
    if (!chosen || !typed || isWhole) return false;
    editor.set(chosen);
    this.complete();
    return chosen.endsWith(" ");
  }

  private interrupt(): void {
    if (!this.editor.isEmpty) {
      this.editor.remember(this.editor.text);
      return this.editor.clear();
    }
    if (this.notice?.text === TWICE) return this.over.resolve(0);
    this.tell(TWICE);
  }

  private tell(text: string): void {
    this.notice = { text, until: Date.now() + TWICE_MS };
  }

  private unfold(): void {
    this.unfolded = !this.unfolded;
    this.redraw = true;
  }

  private local(name: string, rest: string): void {
    const { talk } = this;
    const actions: Record<string, () => void> = {
      help: () => talk.explain(helpText(talk.commands)),
      quit: () => this.over.resolve(0),
      unfold: () => this.unfold(),
      older: () => talk.tell(talk.older()),
      sessions: () => this.chooseSession(),
      agents: () => this.chooseAgent(),
      model: () => this.chooseModel(),
      session: () => (rest ? talk.tell(talk.turnTo(rest)) : this.chooseSession()),
      agent: () => (rest ? talk.tell(talk.turnTo(sessionKey(rest))) : this.chooseAgent()),
    };
    actions[name]!();
  }

  private pick(key: Key): void {
    const { list, take } = this.picker!;
    if (key.kind !== "key") return list.type(key.text);
    const chosen = list.press(key.name);
    if (!chosen) return;
    this.picker = undefined;
    if (chosen !== "closed") take(chosen);
  }

  /** Asks for the rows of a list, shows it, and gives the chosen one to `take`. */
  private choose(
    title: string,
    rows: Promise<Choice[]>,
    current: string | undefined,
    take: (value: string) => void,
  ): void {
    const show = async () => {
      const list = new Picker(title, await rows, current);
      this.picker = { list, take: ({ value }) => take(value) };
    };
    this.talk.tell(show());
  }

  private chooseSession(): void {
    const { talk } = this;
    const rows = talk.sessions().then((sessions) =>
      sessions.map(({ key, displayName, derivedTitle, lastMessagePreview, updatedAt }) => ({
        value: key,
        label: parseKey(key)?.rest ?? key,
        note: [
          formatAge(Date.now() - updatedAt),
          parseKey(key)?.agentId,
          displayName ?? derivedTitle ?? lastMessagePreview,
        ]
          .filter(Boolean)
          .join(" · "),
      })),
    );
    this.choose("Session", rows, talk.key, (key) => talk.tell(talk.turnTo(key)));
  }

  private chooseAgent(): void {
    const { talk } = this;
    const rows = talk
      .agents()
      .then(({ agents }) =>
        agents.map(({ id, name }) => ({ value: id, label: id, ...(name && { note: name }) })),
      );
    this.choose("Agent", rows, talk.agentId, (id) => talk.tell(talk.turnTo(sessionKey(id))));
  }

  private chooseModel(): void {
    const { talk } = this;
    const rows = talk
      .models()
      .then(({ models }) =>
        models.map(({ ref, name }) => ({ value: ref, label: ref, note: name })),
      );
    this.choose("Model", rows, talk.info.model, (ref) => talk.tell(talk.setModel(ref)));
  }
}

const TWICE = "Press Ctrl-C once more to leave.";

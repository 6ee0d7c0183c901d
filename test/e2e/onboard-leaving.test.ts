/** Leaving the set-up: at every question, in the middle of work, by every way a terminal has. Nothing is written, and the last line helps. */
import { afterEach, describe, expect, setDefaultTimeout, test } from "bun:test";
import { readdirSync } from "node:fs";

import { BINARY, emptyHome, type Home, plainEnv } from "./binary.ts";
import { inTerminal, type Session } from "./terminal.ts";

setDefaultTimeout(20_000);
const open: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of open.splice(0).reverse()) await close();
});
const KEY = "sk-ant-api03-good-key";
const CTRL_C = "\u0003";
const RISK = "Go on? [Y/n]";
const ASKS_KEY = "Key of a model provider, or nothing for now";

function newHome(): Home {
  const home = emptyHome();
  open.push(home.remove);
  return home;
}

function at(home: Home, words: string[], env: Record<string, string> = {}): Session {
  const person = inTerminal(words, home, env);
  open.push(() => person.close());
  return person;
}

/** Waits for each text and types what belongs to it. */
async function answers(person: Session, steps: [sees: string, types: string][]): Promise<void> {
  for (const [sees, types] of steps) {
    await person.sees(sees);
    person.type(types);
  }
}

test("the end of the terminal's input is the same as Ctrl-C", async () => {
  const home = newHome();
  const person = at(home, ["onboard"]);
  await answers(person, [[RISK, "\u0004"]]);
  expect(await person.exited).toBe(130);
  expect(person.text()).toContain("To begin again: clawdbot onboard");
  expect(readdirSync(home.dir)).toEqual([]);
});

test("a person who says no is let go", async () => {
  const home = newHome();
  const person = at(home, ["onboard"]);
  await answers(person, [[RISK, "n\r"]]);
  expect(await person.exited).toBe(0);
  expect(person.text()).toContain("Nothing was changed. To begin again: clawdbot onboard");
  expect(readdirSync(home.dir)).toEqual([]);
});

describe("Ctrl-C", () => {
  const quick: [sees: string, types: string][] = [
    [RISK, "\r"],
    [ASKS_KEY, "\r"],
    ["Choose 1 to 4", "2\r"],
    ["Token of the Telegram bot", ""],
  ];
  const long: [sees: string, types: string][] = [
    [RISK, "\r"],
    ["Folder in which", "\r"],
    [ASKS_KEY, "some-key-of-somebody\r"],
    ["Whose key is this?", ""],
    ["Choose", "x\r"],
    ["Please type a number", CTRL_C],
  ];
  const gateway: [sees: string, types: string][] = [
    [RISK, "\r"],
    ["Folder in which", "\r"],
    [ASKS_KEY, "\r"],
    ["Port of the gateway", "\r"],
    ["Choose 1 to 3", "\r"],
    ["Choose 1 to 4", "4\r"],
    ["The address to listen on", "192.168.1.10\r"],
    ["Choose 1 to 2", "2\r"],
    ["A password (it is not shown):", "a-password-that-is-long-enough\r"],
    ["Choose 1 to 4", CTRL_C],
  ];
  const ways = [
    ...quick.map((_, n) => ({ words: ["onboard"], steps: quick.slice(0, n + 1) })),
    { words: ["onboard", "--flow", "manual"], steps: long },
    ...gateway.map((_, n) => ({
      words: ["onboard", "--flow", "manual"],
      steps: gateway.slice(0, n + 1),
    })),
    { words: ["onboard", "--mode", "remote"], steps: [["Address of the gateway", ""]] },
    {
      words: ["onboard", "--mode", "remote"],
      steps: [
        ["Address of the gateway", "wss://box.example.net\r"],
        ["Its token, or nothing", ""],
      ],
    },
    { words: ["setup", "--wizard"], steps: [[RISK, ""]] },
  ] as { words: string[]; steps: [string, string][] }[];
  test.each(ways.map(({ words, steps }) => [words.join(" "), steps.at(-1)![0], steps, words]))(
    "in %p at %p leaves the home as it was, and says how to begin again",
    async (_, __, steps, words) => {
      const home = newHome();
      const person = at(home, words as string[]);
      const list = steps as [string, string][];
      await answers(person, [...list.slice(0, -1), [list.at(-1)![0], CTRL_C]]);
      expect(await person.exited).toBe(130);
      expect(person.text().trimEnd().split("\r\n").slice(-2)).toEqual([
        "Stopped; nothing was changed.",
        "To begin again: clawdbot onboard",
      ]);
      expect(readdirSync(home.dir)).toEqual([]);
    },
  );

  test("and a supervisor's SIGTERM are the same", async () => {
    const home = newHome();
    const asked = Promise.withResolvers<void>();
    let screen = "";
    const child = Bun.spawn([BINARY, "onboard"], {
      cwd: home.dir,
      env: plainEnv(home, { TERM: "xterm-256color" }),
      terminal: {
        data(_, data) {
          screen += new TextDecoder().decode(data);
          if (screen.includes(RISK)) asked.resolve();
        },
      },
    });
    open.push(() => child.terminal!.close());
    await asked.promise;
    child.kill("SIGTERM");
    expect(await child.exited).toBe(130);
    expect(screen).toContain("To begin again: clawdbot onboard");
    expect(readdirSync(home.dir)).toEqual([]);
  });

  test("while a key is tried ends it at once", async () => {
    const home = newHome();
    const silent = Promise.withResolvers<void>();
    const server = Bun.serve({
      hostname: "127.0.0.1",
      port: 0,
      fetch: async () => {
        silent.resolve();
        return new Promise<Response>(() => undefined);
      },
    });
    open.push(() => server.stop(true));
    const env = { ANTHROPIC_BASE_URL: `http://127.0.0.1:${server.port}` };
    const person = at(home, ["onboard"], env);
    await answers(person, [
      [RISK, "\r"],
      [ASKS_KEY, `${KEY}\r`],
    ]);
    await silent.promise;
    person.type(CTRL_C);
    expect(await person.exited).toBe(130);
    expect(person.text()).toContain("To begin again: clawdbot onboard");
    expect(readdirSync(home.dir)).toEqual([]);
  });
});

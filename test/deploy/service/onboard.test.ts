/** The set-up as a newcomer does it, on a whole machine: an empty home, a terminal, Enter, and a service that answers. */
import {
  afterAll,
  afterEach,
  beforeAll,
  describe,
  expect,
  setDefaultTimeout,
  test,
} from "bun:test";

import { BINARY, emptyHome } from "../../e2e/binary.ts";
import { listening, watch } from "../../e2e/child.ts";
import { inTerminal, type Session } from "../../e2e/terminal.ts";
import { bootMachine, type Machine, noMachine, type User } from "./machine.ts";

// Real processes, on a machine that may be busy.
setDefaultTimeout(25_000);

const why = noMachine();
if (why) process.stdout.write(`skipped: ${why}\n`);
const ann: User = { name: "ann", home: "/home/ann", env: { TERM: "xterm-256color" } };

const open: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of open.splice(0).reverse()) await close();
});

describe.skipIf(why !== undefined)("under systemd", () => {
  let machine: Machine;
  const cli = (...words: string[]) => machine.as(ann, ["clawdbot", ...words]);
  const service = () => JSON.parse(cli("gateway", "status", "--json").stdout).service;

  beforeAll(async () => {
    machine = await bootMachine(["ann:x:1000:1000::/home/ann:/bin/sh"]);
    await machine.write("/home/ann/.local/bin/clawdbot", await Bun.file(BINARY).bytes(), 1000);
    machine.run(["chmod", "755", "/home/ann/.local/bin/clawdbot"]);
    machine.run(["loginctl", "enable-linger", "ann"]);
  }, 300_000);
  afterAll(() => machine?.stop(), 120_000);

  /** `clawdbot onboard` at a terminal of the machine. */
  function onboard(...words: string[]): Session {
    const here = emptyHome();
    open.push(here.remove);
    const [program, ...rest] = machine.words(ann, ["clawdbot", "onboard", ...words]);
    const person = inTerminal(rest, here, {}, undefined, program);
    open.push(() => person.close());
    return person;
  }
  async function enter(person: Session, questions: string[]): Promise<void> {
    for (const question of questions) {
      await person.sees(question);
      person.type("\r");
    }
  }

  test("Enter at every question makes a service that runs, and a message is answered", async () => {
    expect(machine.run(["ls", "-A", "/home/ann"]).stdout.trim()).toBe(".local");
    const left = onboard();
    await left.sees("It will run in the background from now on");
    await left.sees("Go on? [Y/n]");
    left.type("\u0003");
    expect(await left.exited).toBe(130);
    expect(machine.run(["ls", "-A", "/home/ann"]).stdout.trim()).toBe(".local");

    const person = onboard();
    await enter(person, ["Go on? [Y/n]", "Key of a model provider", "Choose 1 to 4 [1]"]);
    expect(await person.exited).toBe(0);
    expect(person.text()).toContain("The gateway runs in the background now");
    // It is there already, so the last lines have the way into its page.
    expect(person.text().replaceAll("\r\n", "")).toMatch(/Open http:\/\/127\.0\.0\.1:18789\/\S*#/);
    expect(service()).toMatchObject({ installed: true, running: true });
    const { code, stdout } = cli("agent", "--agent", "main", "-m", "Hello");
    expect({ code, answered: stdout.trim().length > 0 }).toEqual({ code: 0, answered: true });
  });

  test("a second time it keeps what is there, the running service too", async () => {
    const before = machine.run(["cat", "/home/ann/.clawdbot/gateway-token"]).stdout;
    const person = onboard();
    await enter(person, ["Go on? [Y/n]", "Key of a model provider", "Choose 1 to 4 [1]"]);
    expect(await person.exited).toBe(0);
    expect(person.text()).toContain("The service is installed already");
    expect(service()).toMatchObject({ installed: true, running: true });
    expect(machine.run(["cat", "/home/ann/.clawdbot/gateway-token"]).stdout).toBe(before);
  });

  test("a gateway that runs in a terminal is left alone, and everything else is set up", async () => {
    expect(cli("gateway", "uninstall").code).toBe(0);
    const gateway = Bun.spawn(machine.words(ann, ["clawdbot", "gateway"]), {
      stdio: ["ignore", "pipe", "pipe"],
    });
    open.push(() => cli("gateway", "stop"));
    await listening(watch(gateway));
    const person = onboard();
    await enter(person, ["Go on? [Y/n]", "Key of a model provider", "Choose 1 to 4 [1]"]);
    expect(await person.exited).toBe(0);
    expect(person.text()).toContain("Not in the background: A gateway runs already");
    expect(service()).toMatchObject({ installed: false });
    expect(person.text()).toContain("Open http://127.0.0.1:18789/");
  });
});

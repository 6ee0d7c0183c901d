import { expect, test } from "bun:test";

import { makeHome } from "../../test/config-home.ts";
import { AppError } from "../base/errors.ts";
import { ConfigSchema } from "../config/schema.ts";
import type { Bench } from "./bench.ts";
import type { Guide } from "./guide.ts";
import { askEverything, RISK, type Wishes } from "./onboarding.ts";

const WISHES: Wishes = {
  riskAccepted: false,
  flow: "quickstart",
  model: { keys: {} },
  gateway: {},
  skipChannels: false,
};

/** A person who takes whatever is offered; `asked` has every question. */
function patient() {
  const asked: string[] = [];
  const ask =
    <Q extends { message: string; about?: string | undefined }, T>(answer: (question: Q) => T) =>
    async (question: Q): Promise<T> => {
      asked.push(question.about ? `${question.about}\n${question.message}` : question.message);
      return answer(question);
    };
  const guide: Guide = {
    signal: new AbortController().signal,
    note: async () => undefined,
    confirm: ask(({ initial }: { message: string; initial: boolean }) => initial),
    select: ask(
      ({ options, initial }: Parameters<Guide["select"]>[0]) => initial ?? options[0]!.value,
    ),
    multiselect: ask(({ initial }: Parameters<Guide["multiselect"]>[0]) => [...initial]),
    text: ask(({ initial }: Parameters<Guide["text"]>[0]) => initial ?? ""),
    secret: ask((_: { message: string }) => ""),
    progress: (_, work) => work(() => undefined),
  };
  return { guide, asked };
}

/** Nothing is there, and nothing may be written while somebody is asked. */
function emptyBench(config: object = {}): Bench {
  using home = makeHome();
  const forbidden = async () => {
    throw new AppError("internal", "written before the last answer");
  };
  return {
    program: "clawdbot",
    paths: home.paths,
    env: () => home.env,
    config: () => ConfigSchema.parse(config),
    edit: forbidden,
    learn: () => undefined,
    link: forbidden,
  };
}

test("quick start asks at most three questions beyond the risk, and Enter alone is an answer to each", async () => {
  const { guide, asked } = patient();
  const plan = await askEverything(emptyBench(), WISHES, { guide, asks: true }, { service: true });
  expect(asked).toHaveLength(3);
  expect(asked[0]).toContain(RISK);
  expect(plan).toMatchObject({ model: { authChoice: "skip" }, daemon: true });
  expect(plan!.channel).toBeUndefined();
});

test.each([
  [true, undefined, true, true],
  [false, undefined, false, false],
  [true, false, false, false],
  [false, true, true, false],
])(
  "with a possible service %p and the flag %p it is put in place: %p, and said before the risk is taken: %p",
  async (service, daemon, installed, said) => {
    const { guide, asked } = patient();
    const wishes = { ...WISHES, daemon };
    const plan = await askEverything(emptyBench(), wishes, { guide, asks: true }, { service });
    expect(plan!.daemon).toBe(installed);
    expect(asked[0]!.includes("run in the background")).toBe(said);
  },
);

test("the long way asks about the service, and takes no for an answer", async () => {
  const { guide, asked } = patient();
  const confirm: Guide["confirm"] = async (question) => {
    asked.push(question.message);
    return !question.message.includes("background");
  };
  const plan = await askEverything(
    emptyBench(),
    { ...WISHES, flow: "advanced" },
    { guide: { ...guide, confirm }, asks: true },
    { service: true },
  );
  expect(plan!.daemon).toBe(false);
  expect(asked.at(-1)).toContain("in the background");
});

test("who does not take the risk is asked nothing more", async () => {
  const { guide, asked } = patient();
  const no = { ...guide, confirm: async () => false };
  const plan = await askEverything(
    emptyBench(),
    WISHES,
    { guide: no, asks: true },
    { service: true },
  );
  expect(plan).toBeUndefined();
  expect(asked).toEqual([]);
});

test.each([
  [{ tailscale: "serve" as const }, { bind: "loopback", tailscale: { mode: "serve" } }],
  [
    { tailscale: "funnel" as const, password: "a-password-that-is-long-enough" },
    { bind: "loopback", auth: { mode: "password", secret: "a-password-that-is-long-enough" } },
  ],
  [{ bind: "lan" as const }, { bind: "lan", auth: { mode: "token" } }],
])("the gateway's flags %p make %p", async (gateway, answer) => {
  const { guide } = patient();
  const plan = await askEverything(
    emptyBench(),
    { ...WISHES, gateway },
    { guide, asks: false },
    { service: false },
  );
  expect(plan!.gateway).toMatchObject(answer);
});

test.each([
  [{ bind: "lan", auth: { mode: "password", password: "a-password-that-is-long-enough" } }],
  [{ bind: "lan", auth: { password: "a-password-that-is-long-enough" } }],
  [{ bind: "lan", auth: { token: "0123456789abcdef0123456789abcdef" } }],
])("who signs in as %p goes on to do so", async (gateway) => {
  const { guide } = patient();
  const plan = await askEverything(
    emptyBench({ gateway }),
    WISHES,
    { guide, asks: true },
    { service: false },
  );
  expect(plan!.gateway).toEqual({});
});

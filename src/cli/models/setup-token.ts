/** `models auth setup-token`: a Claude subscription's token, made by its own program, which is started here. */
import { AppError } from "../../base/errors.ts";
import { childEnv } from "../../tools/environment.ts";
import { canAsk, openAsk } from "../ask.ts";
import { type Cli, command } from "../command.ts";
import { keep, refuseShadowed, variableFor } from "./auth.ts";
import { openScene, providerNamed } from "./scene.ts";

/** The only vendor with such tokens; the program that makes them, and how they begin. */
const PROVIDER = "anthropic";
const PROGRAM = ["claude", "setup-token"] as const;
const PREFIX = "sk-ant-oat";
/** A shorter one was not copied whole. */
const MIN_LENGTH = 40;

export const setupToken = command({
  doc: "Make a Claude subscription's token with the program `claude`, and keep it.",
  args: {
    provider: { type: "string", hint: "id", description: "Only anthropic has such tokens." },
    yes: { type: "boolean", description: "Start `claude setup-token` without asking." },
  },
  notes:
    "Where `claude` is on another machine: run `claude setup-token` there, and put what it prints here with `models auth paste-token --provider anthropic`.",
  examples: [["models auth setup-token", "starts the program, then asks for the token"]],
  async run(args, cli) {
    const scene = await openScene(cli);
    const provider = args.provider ? providerNamed(scene, args.provider) : PROVIDER;
    if (provider !== PROVIDER)
      throw new AppError("usage", `${provider} has no such tokens.`, {
        hint: `Its key goes in with: ${cli.name}${cli.profileFlag} models auth paste-token --provider ${provider}`,
      });
    const elsewhere = `Run \`${PROGRAM.join(" ")}\` where it is, then: ${cli.name}${cli.profileFlag} models auth paste-token --provider ${PROVIDER}`;
    if (!canAsk())
      throw new AppError("usage", "setup-token needs a terminal.", { hint: elsewhere });
    const name = variableFor(scene, provider, true);
    refuseShadowed(cli, name);
    const program = Bun.which(PROGRAM[0], { PATH: cli.env.raw("PATH") ?? "" });
    if (!program)
      throw new AppError("not_found", `The program ${PROGRAM[0]} is not on PATH.`, {
        hint: elsewhere,
      });
    if (!args.yes && !(await sure(cli))) return cli.out.note("Nothing was changed.");
    await runProgram(cli, program);
    const value = await tokenFrom(cli);
    if (!value) return cli.out.note("Nothing was changed.");
    await keep(cli, name, value, provider);
  },
});

async function sure({ out }: Cli): Promise<boolean> {
  const ask = openAsk(out);
  try {
    return await ask.yes(`Start \`${PROGRAM.join(" ")}\` now?`, true);
  } finally {
    ask.close();
  }
}

/** It has the terminal to itself. Throws tool_failed when it does not end well. */
async function runProgram({ env }: Cli, program: string): Promise<void> {
  const child = Bun.spawn([program, ...PROGRAM.slice(1)], {
    env: childEnv(env.vars),
    stdio: ["inherit", "inherit", "inherit"],
  });
  const code = await child.exited;
  if (code !== 0)
    throw new AppError("tool_failed", `\`${PROGRAM.join(" ")}\` ended with ${code}.`, {
      hint: "Nothing was changed.",
    });
}

/** Empty for Enter alone. Asks again for what is no such token. */
async function tokenFrom({ out }: Cli): Promise<string> {
  const ask = openAsk(out);
  try {
    for (;;) {
      const value = await ask.secret("The token that it printed (it is not shown):");
      if (!value) return "";
      if (!value.startsWith(PREFIX)) out.note(`Such a token begins with ${PREFIX}.`);
      else if (value.length < MIN_LENGTH) out.note("That is too short; copy it whole.");
      else return value;
    }
  } finally {
    ask.close();
  }
}

/** `completion`: makes the Tab key know the commands. */
import { basename } from "node:path";

import { AppError } from "../../base/errors.ts";
import { canAsk, openAsk } from "../ask.ts";
import { type Cli, command } from "../command.ts";
import { complete } from "./complete.ts";
import { addBlock, rcFile, type Shell, SHELLS } from "./rc.ts";
import { SCRIPTS } from "./scripts.ts";

export const completion = command({
  doc: "Print the script that makes the Tab key know the commands, or put it into your shell's start file.",
  args: {
    shell: {
      type: "enum",
      alias: "s",
      options: SHELLS,
      description: "Which shell. Unset: zsh; with --install your own.",
    },
    install: {
      type: "boolean",
      alias: "i",
      description: "Add it to the shell's start file; `clawdbot uninstall` takes it out again.",
    },
    yes: { type: "boolean", alias: "y", description: "Do not ask." },
    complete: { type: "boolean", description: "For the script: what can stand at the cursor." },
    describe: { type: "boolean", description: "For the script: also what each word is for." },
    "next-word": { type: "boolean", description: "For the script: a new word begins." },
    words: {
      type: "positional",
      required: false,
      rest: true,
      description: "For the script: the words up to the cursor, behind --.",
    },
  },
  examples: [
    ["completion -i", "for your own shell, from the next window on"],
    ["completion -s bash > /etc/bash_completion.d/clawdbot", "for all users of a machine"],
  ],
  async run(args, cli) {
    if (args.complete) {
      const words = args["next-word"] ? [...args._, ""] : args._;
      for (const { word, doc } of await complete(words))
        cli.out.line(args.describe ? `${word}\t${doc || word}` : word);
      return;
    }
    if (args.words !== undefined)
      throw new AppError("usage", `unexpected argument '${args.words}'`, {
        hint: "The shell is named with -s, as in: clawdbot completion -s bash",
      });
    if (args.install) return install(cli, args.shell ?? ownShell(cli), args.yes);
    const shell = args.shell ?? "zsh";
    if (args.json) cli.out.data({ shell, script: SCRIPTS[shell] });
    else cli.out.raw(SCRIPTS[shell]);
  },
});

/** By the login shell. Throws usage when that is none of ours. */
function ownShell({ env }: Cli): Shell {
  const name = basename(env.raw("SHELL") ?? "");
  const found = SHELLS.find(
    (shell) => shell === name || (shell === "powershell" && name === "pwsh"),
  );
  if (found) return found;
  throw new AppError(
    "usage",
    name ? `There is no completion for ${name}.` : "Your shell is unknown.",
    {
      hint: `Say which: -s ${SHELLS.join(", -s ")}`,
    },
  );
}

async function install(cli: Cli, shell: Shell, yes: boolean): Promise<void> {
  const { out, env, paths } = cli;
  const file = rcFile(shell, paths.home, env);
  if (!yes && !(await sure(cli, file))) {
    if (out.json) out.data({ ok: true, changed: false, file });
    else out.line("Nothing was changed.");
    return;
  }
  const changed = await addBlock(shell, file);
  if (out.json) return out.data({ ok: true, changed, shell, file });
  out.line(changed ? `Added the completion to ${file}.` : `It is in ${file} already.`);
  out.note("It works from the next window on.");
}

async function sure({ out }: Cli, file: string): Promise<boolean> {
  if (!canAsk())
    throw new AppError("usage", "There is no terminal to ask on.", { hint: "Add -y to go on." });
  const ask = openAsk(out);
  try {
    return await ask.yes(`Add the completion to ${file}?`, true);
  } finally {
    ask.close();
  }
}

#!/usr/bin/env node
/*
 * Starts the clawdbot executable from Node: what `clawdbot` is after `npm install -g clawdbot`, and what `node dist/index.js` runs.
 * One file for both, written so that Node 18 and later, and Bun, load it as CommonJS and as an ES module alike:
 * it has neither `require` nor a static `import`.
 * The executable is looked for beside this file (dist/ of the sources), then in the package of this system (@clawdbot/linux-x64 …),
 * which npm, pnpm and bun install as an optional dependency. Nothing runs at install time.
 */
async function main() {
  const { accessSync, chmodSync, constants, existsSync, readFileSync, realpathSync } =
    await import("node:fs");
  const { createRequire } = await import("node:module");
  const { dirname, join } = await import("node:path");

  const self = realpathSync(process.argv[1]);
  const here = dirname(self);
  const windows = process.platform === "win32";
  const name = windows ? "clawdbot.exe" : "clawdbot";
  const manifest = join(here, "package.json");
  const meta = existsSync(manifest) ? JSON.parse(readFileSync(manifest, "utf8")) : {};
  const target = `${windows ? "windows" : process.platform}-${process.arch}`;
  const wanted = `@clawdbot/${target}`;

  /** Ends with what happened and the exact command to run next. */
  const stop = (what, next) => {
    process.stderr.write(`clawdbot cannot start: ${what}\n${next}\n`);
    process.exit(1);
  };

  const find = () => {
    if (existsSync(join(here, name))) return join(here, name);
    try {
      // From this file's real place: pnpm and bun keep packages where no other resolves them.
      return createRequire(self).resolve(`${wanted}/bin/${name}`);
    } catch {
      return undefined;
    }
  };

  const file = find();
  if (file === undefined) {
    if (meta.optionalDependencies === undefined)
      stop(
        "the executable has not been built yet.",
        "Run: pnpm build   (or, without pnpm: npx -y bun@1.4.4 run build)",
      );
    const known = Object.keys(meta.optionalDependencies);
    if (!known.includes(wanted))
      stop(
        `there is no build for ${target}.`,
        `There are builds for: ${known.map((id) => id.split("/")[1]).join(", ")}. On another system run it in Docker.`,
      );
    const way = /[\\/]install[\\/]global[\\/]/.test(self)
      ? "bun"
      : /[\\/]\.?pnpm[\\/]/.test(self)
        ? "pnpm"
        : "npm";
    const command = {
      npm: `npm install -g clawdbot@${meta.version} --include=optional`,
      pnpm: `pnpm add -g --config.optional=true clawdbot@${meta.version}`,
      bun: `bun remove -g clawdbot && bun add -g clawdbot@${meta.version}`,
    }[way];
    stop(
      `the package for this system, ${wanted}, is not installed.\nOptional packages were left out (--omit=optional, --no-optional), or this was installed on another system and copied here.`,
      `Run: ${command}`,
    );
  }

  if (!windows)
    try {
      accessSync(file, constants.X_OK);
    } catch {
      // Some package stores drop the executable bit.
      try {
        chmodSync(file, 0o755);
      } catch {
        stop(`${file} may not be executed.`, `Run: chmod 755 '${file}'`);
      }
    }

  const words = process.argv.slice(2);
  // Node 22.15 and later, and Bun: this process becomes the program, so signals, PID 1 and the exit code need no help.
  if (!windows && typeof process.execve === "function")
    process.execve(file, ["clawdbot", ...words], process.env);
  await runChild(file, words, windows);
}

/** For a Node that cannot replace itself: every signal goes on to the child, and the child's end becomes ours. */
async function runChild(file, words, windows) {
  const { spawn } = await import("node:child_process");
  const { constants } = await import("node:os");
  const signals = ["SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT", "SIGUSR1", "SIGUSR2"];
  const heard = windows ? ["SIGINT", "SIGBREAK"] : signals;
  for (const signal of heard)
    process.on(signal, () => {
      // Windows gives Ctrl-C to the child itself; so does a terminal, to everything in its foreground.
      if (windows || (signal === "SIGINT" && process.stdin.isTTY)) return;
      child.kill(signal);
    });
  const child = spawn(file, words, { stdio: "inherit", argv0: "clawdbot" });
  child.on("error", (cause) => {
    process.stderr.write(`clawdbot cannot start: ${file}: ${cause.message}\n`);
    process.exit(1);
  });
  child.on("exit", (code, signal) => {
    if (signal === null) process.exit(code ?? 1);
    for (const each of heard) process.removeAllListeners(each);
    // Ends this process the same way; PID 1 of a container is not ended by it, and gives the number a shell would.
    process.kill(process.pid, signal);
    process.exit(128 + (constants.signals[signal] ?? 0));
  });
}

main().catch((cause) => {
  process.stderr.write(`clawdbot cannot start: ${cause?.message ?? cause}\n`);
  process.exit(1);
});

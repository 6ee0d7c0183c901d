/** Facts of the original's command line that users and published guides rely on. */
import { expect, test } from "bun:test";

import type { Command } from "../../src/cli/command.ts";
import { COMMANDS } from "../../src/cli/commands.ts";

const load = (path: string): Promise<Command> => COMMANDS[path]!.load();
const flags = (command: Command): string[] =>
  Object.entries(command.args)
    .filter(([, spec]) => spec.type !== "positional")
    .map(([name]) => name)
    .sort();
const has = async (path: string, wanted: string) => {
  const known = flags(await load(path));
  expect(wanted.split(" ").filter((flag) => !known.includes(flag))).toEqual([]);
};

test("gateway takes exactly the original's flags", async () => {
  const original =
    "port bind token auth password tailscale tailscale-reset-on-exit allow-unconfigured dev reset force " +
    "verbose claude-cli-logs ws-log compact raw-stream raw-stream-path";
  expect(flags(await load("gateway"))).toEqual(original.split(" ").sort());
  expect(await load("gateway run")).toBe(await load("gateway"));
});

test("the choices of gateway's flags are the original's", async () => {
  const { args } = await load("gateway");
  const choices = (name: string) => {
    const spec = args[name]!;
    return spec.type === "enum" ? spec.options.join(" ") : undefined;
  };
  expect(choices("bind")).toBe("loopback lan tailnet auto custom");
  expect(choices("tailscale")).toBe("off serve funnel");
  expect(choices("ws-log")).toBe("auto full compact");
  expect(choices("auth")).toContain("token password");
});

test("the other commands know the original's flags", async () => {
  await has("health", "json timeout verbose debug url token password");
  await has("status", "json all usage deep timeout verbose debug");
  await has("sessions", "json store active verbose");
  await has("agent", "message to session-id agent thinking verbose json timeout");
  await has("logs", "limit max-bytes follow interval json plain url token timeout");
  await has("gateway call", "params url token password timeout expect-final json");
  await has("gateway health", "url token password timeout json");
  await has("gateway status", "url token password timeout probe deep json");
  await has("channels list", "no-usage json");
  await has("channels status", "probe timeout json");
  await has("channels capabilities", "channel account target timeout json");
  await has("channels resolve", "channel account kind json");
  await has("channels logs", "channel lines json");
  await has("channels add", "channel account name token token-file bot-token auth-dir use-env");
  await has("channels remove", "channel account delete");
  await has("channels login", "channel account verbose");
  await has("channels logout", "channel account");
  await has("pairing list", "channel json");
  await has("pairing approve", "channel notify");
  const base = "channel account json dry-run verbose";
  const send = "target message media buttons reply-to thread-id gif-playback silent";
  await has("message send", `${base} ${send}`);
  await has("message broadcast", `${base} targets message media`);
  await has(
    "message poll",
    `${base} target poll-question poll-option poll-multi poll-duration-hours message`,
  );
  await has(
    "message react",
    `${base} target message-id emoji remove participant from-me target-author target-author-uuid`,
  );
  await has("message reactions", `${base} target message-id limit`);
  await has("message read", `${base} target limit before after around include-thread`);
  await has("message edit", `${base} target message-id message thread-id`);
  await has("message delete", `${base} target message-id`);
  await has("message pin", `${base} target message-id`);
  await has("message unpin", `${base} target message-id`);
  await has("message pins", `${base} target limit`);
  await has("message permissions", `${base} target`);
  await has("message search", `${base} query guild-id channel-id author-id limit`);
  await has(
    "message thread",
    `${base} thread-name message-id auto-archive-min guild-id channel-id include-archived message media reply-to`,
  );
  await has("message sticker", `${base} target sticker-id message`);
  await has("config get", "json");
  await has("config set", "json");
});

test("every command explains itself with an example that begins with its own name", async () => {
  for (const path of Object.keys(COMMANDS)) {
    const command = await load(path);
    expect(command.examples.length).toBeGreaterThan(0);
    if (path === "gateway run") continue;
    for (const [line] of command.examples) expect(line).toStartWith(path);
    for (const spec of Object.values(command.args)) expect(spec.description).toEndWith(".");
  }
});

test("-m and -t are short for --message and --to", async () => {
  const { args } = await load("agent");
  expect(args["message"]).toMatchObject({ alias: "m" });
  expect(args["to"]).toMatchObject({ alias: "t" });
  const { args: send } = await load("message send");
  expect(send["message"]).toMatchObject({ alias: "m" });
  expect(send["target"]).toMatchObject({ alias: "t" });
});

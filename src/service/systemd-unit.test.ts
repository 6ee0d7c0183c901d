import { expect, test } from "bun:test";

import fc from "fast-check";

import type { Wanted } from "./service.ts";
import { readUnit, writeUnit } from "./systemd-unit.ts";

const wanted = (over: Partial<Wanted> = {}): Wanted => ({
  command: ["/home/bot/.local/bin/clawdbot", "gateway", "--port", "18789"],
  workingDirectory: "/home/bot/.clawdbot",
  environment: { HOME: "/home/bot", CLAWDBOT_SERVICE_MARKER: "systemd" },
  environmentFile: "/home/bot/.clawdbot/gateway.env",
  ...over,
});

test("what is written is read back, whatever is in it", () => {
  const word = fc.string({ unit: "grapheme", maxLength: 20 }).map((s) =>
    // oxlint-disable-next-line no-control-regex
    s.replace(/[\u0000-\u001f\u007f]/g, ""),
  );
  const path = word.map((s) => `/x${s.replace(/\//g, "")}`);
  fc.assert(
    fc.property(path, fc.array(word), word, path, (program, args, value, folder) => {
      const service = wanted({
        command: [program, ...args],
        environment: { VALUE: value },
        workingDirectory: folder,
      });
      const found = readUnit(writeUnit(service), "unit", "/home");
      expect(found.command).toEqual(service.command);
      expect(found.environment).toEqual({ VALUE: value });
      expect(found.workingDirectory?.replace(/(?<=[\\\s])\/$/, "")).toBe(folder);
    }),
  );
});

test("a line end cannot smuggle in another setting", () => {
  const bad: Partial<Wanted>[] = [
    { command: ["/bin/x\nUser=root"] },
    { command: ["/bin/x", "a\rb"] },
    { environment: { A: "1\nExecStartPre=/bin/evil" } },
    { workingDirectory: "/x\ny" },
    { environmentFile: "/x\ny" },
    { user: "bot\nUMask=0" },
  ];
  for (const over of bad) expect(() => writeUnit(wanted(over))).toThrow("control character");
});

test("what systemd would replace stays as it was written", () => {
  const odd = "/x/%h/%n/100%/$HOME/${USER}";
  const text = writeUnit(
    wanted({
      command: [odd, odd],
      environment: { VALUE: odd },
      workingDirectory: odd,
      environmentFile: `${odd}/*`,
    }),
  );
  expect(text).not.toMatch(/[^%]%(?:%%)*[hn/]/);
  const percent = odd.replaceAll("%", "%%");
  expect(text).toContain(`\nEnvironmentFile=-${percent}/\\*\n`);
  expect(text).toContain(`ExecStart="${percent}" "${percent.replaceAll("$", "$$$$")}"\n`);
  const found = readUnit(text, "unit", "/home");
  expect(found.command).toEqual([odd, odd]);
  expect(found.environment).toEqual({ VALUE: odd });
  expect(found.workingDirectory).toBe(odd);
});

test("the machine's systemd, which is root, opens no file in the user's folder", () => {
  expect(writeUnit(wanted())).toContain("EnvironmentFile=-/home/bot/.clawdbot/gateway.env\n");
  expect(writeUnit(wanted({ user: "bot" }), { system: true })).not.toContain("gateway.env");
});

test("a unit of an older version, or changed by hand, is understood", () => {
  const text = [
    "[Unit]",
    "Description=OpenClaw Gateway",
    "After=network-online.target",
    "After=other.target",
    "[Service]",
    'ExecStart=-/usr/bin/node "/opt/my \\"app\\"/dist/index.js" gateway \\',
    "  --port 19001 --token 's3cret'",
    'Environment="OPENCLAW_GATEWAY_TOKEN=to ken" PATH=/usr/bin%%x:%h/bin',
    "Environment=A=1",
    "WorkingDirectory=-%h/x",
    "Restart=on-failure",
    "Restart=always",
  ].join("\n");
  expect(readUnit(text, "/u", "/home/bot")).toMatchObject({
    command: [
      "/usr/bin/node",
      '/opt/my "app"/dist/index.js',
      "gateway",
      "--port",
      "19001",
      "--token",
      "s3cret",
    ],
    environment: { OPENCLAW_GATEWAY_TOKEN: "to ken", PATH: "/usr/bin%x:/home/bot/bin", A: "1" },
    workingDirectory: "/home/bot/x",
    settings: { Restart: "always", After: "network-online.target other.target" },
  });
});

test("any text is read without a failure", () => {
  fc.assert(
    fc.property(fc.string({ maxLength: 300 }), (text) => {
      readUnit(`[Service]\nExecStart=${text}\nEnvironment=${text}\n${text}`, "unit", "/home");
    }),
  );
});

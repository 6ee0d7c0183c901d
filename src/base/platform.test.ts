import { expect, test } from "bun:test";
import { mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { readEnv } from "./env.ts";
import {
  hostFolder,
  inContainer,
  onRootFileSystem,
  platformHosts,
  platformOf,
  platformPort,
} from "./platform.ts";

const env = (vars: Record<string, string>) => readEnv(vars);

test("a container is known by its files and by the variables of Kubernetes and the platforms", () => {
  const root = mkdtempSync(join(tmpdir(), "clawdbot-root-"));
  mkdirSync(join(root, "run"));
  const seen = (vars = {}) => inContainer(env(vars), root);
  expect(seen()).toBe(false);
  for (const file of [".dockerenv", "run/.containerenv"]) {
    writeFileSync(join(root, file), "");
    expect(seen()).toBe(true);
    rmSync(join(root, file));
  }
  for (const name of ["KUBERNETES_SERVICE_HOST", "FLY_MACHINE_ID", "RENDER", "K_SERVICE", "DYNO"])
    expect(seen({ [name]: "x" })).toBe(true);
  expect(seen({ RENDER: "  " })).toBe(false);
  rmSync(root, { recursive: true });
});

test("platforms are known by their variables, and PORT counts only there", () => {
  expect(platformOf(env({ FLY_MACHINE_ID: "e2" }))).toBe("Fly.io");
  expect(platformOf(env({ RAILWAY_ENVIRONMENT: "production" }))).toBe("Railway");
  expect(platformOf(env({ WEBSITE_HOSTNAME: "x.azurewebsites.net" }))).toBe("Azure");
  expect(platformOf(env({ PORT: "80" }))).toBeUndefined();
  expect(platformPort(env({ PORT: "8080", K_SERVICE: "x" }))).toBe(8080);
  expect(platformPort(env({ PORT: "8080" }))).toBeUndefined();
});

test("the platform's public names are read from its variables", () => {
  const names = (vars: Record<string, string>, hostname = "x.y_z") =>
    platformHosts(env(vars), hostname);
  expect(names({ FLY_APP_NAME: "my-app" }, "_")).toEqual([
    "my-app.fly.dev",
    "my-app.flycast",
    "my-app.internal",
    "*.my-app.internal",
  ]);
  expect(names({ RENDER_EXTERNAL_HOSTNAME: "a.onrender.com" }, "_")).toEqual(["a.onrender.com"]);
  expect(names({ FLY_APP_NAME: "evil.com/" }, "_")).toEqual([]);
  // exe.dev shows a machine at https://<its name>.exe.xyz/.
  expect(names({}, "Clawdbot.internal")).toEqual(["clawdbot.exe.xyz"]);
});

test("the host's folder behind a mount is found, and nothing is made up where it cannot be known", () => {
  const table = [
    "1 0 0:50 / / rw - overlay overlay rw",
    "2 1 0:51 / /tmp rw - tmpfs tmpfs rw",
    String.raw`3 1 254:1 /root/my\040bot /home/node/.clawdbot rw,relatime - ext4 /dev/vda1 rw`,
    "4 1 254:2 / /data rw - ext4 /dev/vdb rw",
  ].join("\n");
  const found = (path: string) => hostFolder(path, table);
  expect(found("/home/node/.clawdbot")).toBe("/root/my bot");
  expect(found("/home/node/.clawdbot/a/b")).toBe("/root/my bot/a/b");
  for (const path of ["/home/node/.clawdbot2", "/home/node", "/tmp/x", "/data", "/data/x"])
    expect(found(path)).toBeUndefined();
  expect(hostFolder("/x", "")).toBeUndefined();
});

test.skipIf(process.platform !== "linux")("a folder on another file system is not lost", () => {
  expect(onRootFileSystem("/proc")).toBe(false);
  expect(onRootFileSystem("/")).toBe(true);
  // An engine whose volumes are folders on the device of the root.
  const here = realpathSync(import.meta.dir);
  const table = `1 0 0:50 / / rw - ext4 x rw\n2 1 0:50 /volumes/a ${here} rw - ext4 x rw`;
  expect(onRootFileSystem(here, here, table)).toBe(false);
  expect(onRootFileSystem(here, here, "1 0 0:50 / / rw - ext4 x rw")).toBe(true);
});

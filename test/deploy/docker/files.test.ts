/** The files for Fly.io, Render and the build context, held against the guides' own blocks. Needs no Docker. */
import { expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";

import { missing, run } from "../lab.ts";
import { ROOT } from "../tree.ts";

const read = (name: string): string => readFileSync(join(ROOT, name), "utf8");
const toml = (name: string) =>
  Bun.TOML.parse(read(name)) as Record<string, Record<string, unknown>>;
const guides = {
  clawdbot: toml("test/fixtures/guides/fly-clawdbot.toml"),
  openclaw: toml("test/fixtures/guides/fly-openclaw.toml"),
};

/** What our files have beside the guides' keys: an orderly stop, a check that knows the start, room for the assistant's commands. */
const ADDED = { kill_signal: "SIGTERM", kill_timeout: "30s", swap_size_mb: 512 };
const CHECK = {
  method: "GET",
  path: "/startupz",
  interval: "15s",
  timeout: "5s",
  grace_period: "20s",
};
/** 2 GB are what Node needed; the soak of run.test.ts runs within these. */
const MACHINE = [{ size: "shared-cpu-1x", memory: "256mb" }];

test("deploy-049 fly.toml is the guide's block; the machine is smaller, the additions are these", () => {
  const { http_service, ...rest } = guides.clawdbot;
  expect(toml("fly.toml") as unknown).toEqual({
    ...rest,
    ...ADDED,
    vm: MACHINE,
    http_service: { ...http_service, checks: [CHECK] },
  });
});

test("the two guides ask for the same file but for the name", () => {
  const renamed = JSON.parse(
    JSON.stringify(guides.openclaw)
      .replaceAll("openclaw", "clawdbot")
      .replaceAll("OPENCLAW", "CLAWDBOT"),
  );
  expect(renamed).toEqual(guides.clawdbot);
});

test("deploy-076 fly.private.toml is the same without `http_service`", () => {
  const { http_service, ...rest } = toml("fly.toml");
  expect(http_service).toBeDefined();
  expect(toml("fly.private.toml")).toEqual(rest);
});

test("deploy-079 the private file publishes nothing: no service, no port, in any spelling", () => {
  expect(Object.keys(toml("fly.private.toml"))).not.toContain("http_service");
  expect(Object.keys(toml("fly.private.toml"))).not.toContain("services");
  expect(read("fly.private.toml")).not.toContain("internal_port");
});

test("deploy-081 both files ask for the smallest machine of Fly.io, so it costs a fraction of the guides' figure", () => {
  for (const name of ["fly.toml", "fly.private.toml"])
    expect(toml(name)["vm"] as unknown).toEqual(MACHINE);
});

test("deploy-048 the volume and the region are those of the guide's `fly volumes create`", () => {
  const { mounts, primary_region } = toml("fly.toml");
  expect(mounts).toEqual({ source: "clawdbot_data", destination: "/data" });
  expect(primary_region as unknown).toBe("iad");
  expect(read("fly.toml")).toContain("fly volumes create clawdbot_data --size 1 --region iad");
});

test("render.yaml: the image of this repository, a made token, state and workspace on the disk", () => {
  const { services } = Bun.YAML.parse(read("render.yaml")) as {
    services: Record<string, unknown>[];
  };
  const [service] = services;
  expect(service).toMatchObject({
    runtime: "docker",
    dockerfilePath: "./Dockerfile",
    healthCheckPath: "/health",
    disk: { mountPath: "/data", sizeGB: 1 },
  });
  const variables = service!["envVars"] as {
    key: string;
    value?: string;
    generateValue?: boolean;
  }[];
  expect(
    Object.fromEntries(
      variables.map(({ key, value, generateValue }) => [key, value ?? generateValue]),
    ),
  ).toEqual({
    PORT: "8080",
    CLAWDBOT_GATEWAY_TOKEN: true,
    CLAWDBOT_STATE_DIR: "/data/.clawdbot",
    CLAWDBOT_WORKSPACE_DIR: "/data/workspace",
    CLAWDBOT_IMAGE_USER: "0",
    CLAWDBOT_DROP_UID: "1000",
  });
});

test("deploy-086 `.env` and keys stay out of the build context and out of commits", () => {
  const ignored = read(".dockerignore").split("\n");
  for (const name of [".env", ".env.*", ".git", "*.pem", "*.key", "*.sqlite"])
    expect(ignored).toContain(name);
  expect(run(["git", "check-ignore", "-q", "--no-index", ".env"], { cwd: ROOT }).code).toBe(0);
});

test("the Dockerfile needs nothing of BuildKit", () => {
  const text = read("Dockerfile");
  expect(text).not.toMatch(/^#\s*syntax=|--mount=|<<\w+|--link|--chmod|BUILDPLATFORM/m);
});

const noShellcheck = missing({ shellcheck: "shellcheck" });
test.skipIf(noShellcheck !== undefined)("the scripts of the build pass shellcheck", () => {
  const { code, stdout } = run(["sh", "-c", "shellcheck -x scripts/docker/*.sh"], { cwd: ROOT });
  expect([code, stdout]).toEqual([0, ""]);
});

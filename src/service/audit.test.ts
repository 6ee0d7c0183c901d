import { expect, test } from "bun:test";

import { auditCommon, portOf, splitCommand } from "./audit.ts";
import type { Definition } from "./service.ts";

const PATH = "/usr/local/bin:/usr/bin:/bin";
const definition = (
  command: string[],
  environment: Record<string, string> = { PATH },
): Definition => ({
  command,
  environment,
  source: "/unit",
  settings: {},
});
const codes = (found: Definition, port?: number) =>
  auditCommon(found, {
    program: ["/bin/sh"],
    platform: "linux",
    ...(port !== undefined && { port }),
  }).map(({ code }) => code);

test("a good service has no findings", () => {
  expect(codes(definition(["/bin/sh", "gateway", "--port", "1"]), 1)).toEqual([]);
});

test("each fault has its code", () => {
  expect(codes(definition([]))).toEqual(["gateway-command-missing"]);
  expect(codes(definition(["/bin/sh", "status"]))).toEqual(["gateway-command-missing"]);
  expect(codes(definition(["/gone/clawdbot", "gateway"]))).toEqual(["gateway-entrypoint-mismatch"]);
  expect(codes(definition(["/bin/cat", "gateway"]))).toEqual(["gateway-entrypoint-mismatch"]);
  const ok = ["/bin/sh", "gateway"];
  expect(codes(definition(ok, {}))).toEqual(["gateway-path-missing"]);
  expect(codes(definition(ok, { PATH: "/usr/bin" }))).toEqual(["gateway-path-missing-dirs"]);
  expect(codes(definition(ok, { PATH: `${PATH}:/home/u/.nvm/versions/node/v22/bin` }))).toEqual([
    "gateway-path-nonminimal",
  ]);
  expect(codes(definition(ok, { PATH, OPENCLAW_GATEWAY_TOKEN: "x" }))).toEqual([
    "gateway-token-embedded",
  ]);
  expect(codes(definition([...ok, "--token=abc"]))).toEqual(["gateway-token-embedded"]);
  expect(codes(definition([...ok, "--port=2"]), 1)).toEqual(["gateway-port-mismatch"]);
});

test("a folder called gateway is not the command", () => {
  expect(splitCommand(["/opt/gateway", "x", "gateway", "--port", "5"])).toEqual({
    program: ["/opt/gateway", "x"],
    args: ["--port", "5"],
  });
  expect(portOf(["gateway", "--port", "99999x"])).toBeUndefined();
});

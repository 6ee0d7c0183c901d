import { expect, test } from "bun:test";

import type { Clock } from "../base/time.ts";
import { freePort } from "./port-force.ts";

/** Time that passes by being waited for. */
const clock: Clock = { now: () => 0, sleep: () => Promise.resolve() };
/** A program that listens on a port of its own and ends on SIGTERM, or does not. */
async function listener(stubborn: boolean) {
  const code = `${stubborn ? 'process.on("SIGTERM", () => undefined);' : ""}
    const server = Bun.listen({ hostname: "127.0.0.1", port: 0, socket: { data() {} } });
    process.stdout.write(server.port + "\\n");`;
  const child = Bun.spawn([process.execPath, "-e", code], { stdout: "pipe" });
  const { value } = await child.stdout.getReader().read();
  return { child, port: Number(new TextDecoder().decode(value)) };
}

test("a free port stays as it is", async () => {
  const said: string[] = [];
  await freePort(1, { say: (line) => said.push(line), clock, owners: async () => [] });
  expect(said).toEqual(["force: no listeners on port 1"]);
});

test("whoever listens is ended, and the port is free afterwards", async () => {
  const { child, port } = await listener(false);
  const said: string[] = [];
  await freePort(port, { say: (line) => said.push(line) });
  await child.exited;
  expect(child.signalCode).toBe("SIGTERM");
  expect(said[0]).toStartWith(`force: killed pid ${child.pid} (`);
  expect(said.at(-1)).toMatch(/^force: waited \d+ms for port \d+ to free$/);
});

test("who does not listen to SIGTERM gets SIGKILL", async () => {
  const { child, port } = await listener(true);
  const said: string[] = [];
  await freePort(port, { say: (line) => said.push(line) });
  await child.exited;
  expect(child.signalCode).toBe("SIGKILL");
  expect(said).toContain(`force: escalated to SIGKILL while freeing port ${port}`);
});

test("a port that stays taken is an error that names who holds it, and this process is never ended", async () => {
  const { child } = await listener(false);
  const owners = async () => [
    { pid: process.pid, command: "me" },
    { pid: child.pid, command: "it" },
  ];
  const freed = freePort(1, { say: () => undefined, clock, owners });
  expect(freed).rejects.toThrow(`Port 1 is still in use by pid ${child.pid}.`);
  await freed.catch(() => child.kill());
  await child.exited;
});

/** Who is connected, which devices are known. */
import { z } from "zod";

import { AppError } from "../../base/errors.ts";
import { background } from "../../base/task.ts";
import { systemClock } from "../../base/time.ts";
import { method } from "../method.ts";

/** So that the answer is on its way before connections close, in ms. */
const ANSWER_MS = 100;

const RequestId = z.object({ requestId: z.string().min(1).max(256) });

export const system = {
  "system-presence": method({
    doc: "Connected clients and the gateway itself, newest first.",
    scope: "operator.read",
    params: z.object({}),
    result: z.array(z.unknown()),
    async run(_, { gateway }) {
      return gateway.presence();
    },
  }),

  "dashboard.link": method({
    doc: "A link to the Control UI that signs in once, within ten minutes.",
    scope: "operator.admin",
    params: z.object({}),
    result: z.object({ url: z.string() }),
    async run(_, { gateway }) {
      return { url: gateway.signInLink() };
    },
  }),

  "gateway.restart.request": method({
    doc: "Restarts the gateway in its process, right after the answer. Running turns go on after it.",
    scope: "operator.admin",
    params: z.object({ reason: z.string().max(200).optional() }),
    result: z.lazy(() => z.object({ ok: z.literal(true), pid: z.int(), delayMs: z.int() })),
    async run({ reason }, { restart, log }) {
      if (!restart) throw new AppError("bad_request", "This gateway cannot restart itself.");
      const later = async () => {
        await systemClock.sleep(ANSWER_MS);
        restart(reason ?? "an operator asked for it");
      };
      background("restart", later(), log);
      return { ok: true as const, pid: process.pid, delayMs: ANSWER_MS };
    },
  }),

  "gateway.replace.request": method({
    doc: "Lets the program file, which an update has replaced, take over from the running process. When it is not ready in time the old one comes back.",
    scope: "operator.admin",
    params: z.object({ program: z.string().max(4096) }),
    result: z.lazy(() => z.object({ ok: z.literal(true), pid: z.int() })),
    async run({ program }, { replace, program: own, log }) {
      if (!replace) throw new AppError("bad_request", "This gateway cannot be replaced.");
      if (program !== own)
        throw new AppError("bad_request", `This gateway is another program: ${own}.`);
      const later = async () => {
        await systemClock.sleep(ANSWER_MS);
        replace();
      };
      background("update", later(), log);
      return { ok: true as const, pid: process.pid };
    },
  }),

  "last-heartbeat": method({
    doc: "The last heartbeat, or null when there was none.",
    scope: "operator.read",
    params: z.object({}),
    result: z.null(),
    async run() {
      return null;
    },
  }),

  "device.pair.list": method({
    doc: "Devices that signed in, and those that wait for approval.",
    scope: "operator.pairing",
    params: z.object({}),
    result: z.lazy(() => z.object({ pending: z.array(z.unknown()), paired: z.array(z.unknown()) })),
    async run(_, { gateway }) {
      const all = await gateway.devices.list();
      return {
        pending: all.filter((d) => d.requestId).map((d) => ({ ...d, ts: d.lastSeenAtMs })),
        paired: all
          .filter((d) => !d.requestId)
          .map((d) => ({ ...d, roles: [d.role], approvedAtMs: d.approvedAtMs ?? d.createdAtMs })),
      };
    },
  }),

  "device.pair.approve": method({
    doc: "Lets a waiting device in.",
    scope: "operator.pairing",
    params: RequestId,
    result: z.lazy(() => z.object({ requestId: z.string(), device: z.unknown() })),
    async run({ requestId }, { gateway }) {
      const device = await gateway.devices.decide(requestId, true, gateway.now());
      if (!device) throw new AppError("not_found", "unknown requestId");
      return { requestId, device };
    },
  }),

  "device.pair.reject": method({
    doc: "Turns a waiting device away.",
    scope: "operator.pairing",
    params: RequestId,
    result: z.lazy(() => z.object({ requestId: z.string(), deviceId: z.string() })),
    async run({ requestId }, { gateway }) {
      const device = await gateway.devices.decide(requestId, false, gateway.now());
      if (!device) throw new AppError("not_found", "unknown requestId");
      return { requestId, deviceId: device.deviceId };
    },
  }),

  "device.token.revoke": method({
    doc: "Shuts a device out until it is approved again, and ends its connections. It has one role, so `role` changes nothing.",
    scope: "operator.pairing",
    params: z.object({
      deviceId: z.string().min(1).max(256),
      role: z.string().max(64).optional(),
    }),
    result: z.lazy(() =>
      z.object({ deviceId: z.string(), role: z.string(), revokedAtMs: z.number() }),
    ),
    async run({ deviceId }, { gateway, log }) {
      const now = gateway.now();
      const device = await gateway.devices.revoke(deviceId, now);
      if (!device) throw new AppError("not_found", "unknown deviceId");
      const later = async () => {
        await systemClock.sleep(ANSWER_MS);
        gateway.endDevice(deviceId);
      };
      background("ending a device's connections", later(), log);
      return { deviceId, role: device.role, revokedAtMs: now };
    },
  }),
};

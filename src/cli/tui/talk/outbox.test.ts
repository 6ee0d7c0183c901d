import { expect, test } from "bun:test";

import { RpcError } from "../../../protocol/client.ts";
import { Outbox, type Unsent } from "./outbox.ts";

type Sent = { row: Unsent } & PromiseWithResolvers<{ runId?: string; status?: string }>;

/** An outbox on a line that the test cuts and mends. */
function rig() {
  const sent: Sent[] = [];
  const refused: string[] = [];
  const line = { up: true };
  const outbox = new Outbox({
    send(row) {
      const call = { row, ...Promise.withResolvers<{ runId?: string; status?: string }>() };
      sent.push(call);
      return call.promise;
    },
    connected: () => line.up,
    changed: () => undefined,
    refused: (row) => refused.push(row.text),
    answered: () => undefined,
  });
  return { outbox, sent, refused, line };
}
const lost = new RpcError({ code: "UNAVAILABLE", message: "lost", retryable: true });
const no = new RpcError({ code: "INVALID_REQUEST", message: "no" });
/** What hangs on a promise has run. */
const settled = () => new Promise<void>((done) => setImmediate(done));

test("a message whose answer was lost is sent again under the same key, and the next one after it", async () => {
  const { outbox, sent, line } = rig();
  outbox.post("s", "one");
  outbox.post("s", "two");
  expect(sent.map(({ row }) => row.text)).toEqual(["one"]);
  line.up = false;
  sent[0]!.reject(lost);
  await settled();
  expect(outbox.waiting.map(({ text }) => text)).toEqual(["one", "two"]);
  line.up = true;
  outbox.reconnected();
  expect(sent[1]!.row.key).toBe(sent[0]!.row.key);
  sent[1]!.resolve({ runId: sent[1]!.row.key, status: "in_flight" });
  await settled();
  expect(sent.map(({ row }) => row.text)).toEqual(["one", "one", "two"]);
  expect(sent[2]!.row.key).not.toBe(sent[0]!.row.key);
});

test("what was accepted is asked for again after a loss, until the transcript has it", async () => {
  const { outbox, sent } = rig();
  outbox.post("s", "one");
  const { key } = sent[0]!.row;
  sent[0]!.resolve({ runId: key, status: "started" });
  await settled();
  expect(outbox.waiting).toEqual([]);
  outbox.reconnected();
  expect(sent[1]!.row.key).toBe(key);
  sent[1]!.resolve({ runId: key, status: "ok" });
  await settled();
  outbox.settle((id) => id === key);
  outbox.reconnected();
  expect([outbox.of("s"), sent.length]).toEqual([[], 2]);
});

test("what the gateway refuses is given back, and does not hold up the rest", async () => {
  const { outbox, sent, refused } = rig();
  outbox.post("s", "bad");
  outbox.post("s", "good");
  sent[0]!.reject(no);
  await settled();
  expect(refused).toEqual(["bad"]);
  expect(sent[1]!.row.text).toBe("good");
  outbox.close();
});

test("a word that is obeyed at once leaves nothing behind", async () => {
  const { outbox, sent } = rig();
  outbox.post("s", "/stop");
  sent[0]!.resolve({});
  await settled();
  expect(outbox.of("s")).toEqual([]);
});

import { expect, test } from "bun:test";

import { Connection, type Socket } from "../connection.ts";
import { WaitingRoom } from "./waiting-room.ts";

function setUp(limits: { perAddress: number; total: number }) {
  const state = { later: 0, dropped: [] as Connection[] };
  const room = new WaitingRoom(
    () => Date.now() + state.later,
    (connection) => state.dropped.push(connection),
    limits,
  );
  const enter = (ip: string) => {
    const socket = { terminate() {} } as unknown as Socket;
    const peer = { ip, local: false, trusted: false, unknownProxy: false };
    const connection = new Connection(socket, peer);
    room.enter(connection);
    return connection;
  };
  return { room, state, enter };
}

test("beyond the limit of an address its oldest silent socket is dropped, never the newcomer", () => {
  const { state, enter } = setUp({ perAddress: 2, total: 100 });
  const talking = enter("a");
  talking.silent = false;
  const silent = enter("a");
  state.later = 2_000;
  const newcomer = enter("a");
  expect(state.dropped).toEqual([silent]);
  expect(newcomer.closed).toBe(false);
  expect(talking.closed).toBe(false);
  enter("b");
  expect(state.dropped).toHaveLength(1);
});

test("sockets of this very moment are spared: an owner's first frame may be on its way", () => {
  const { room, state, enter } = setUp({ perAddress: 2, total: 5 });
  for (let i = 0; i < 5; i++) enter("a");
  expect(state.dropped).toEqual([]);
  const newcomer = enter("a");
  expect(state.dropped).toHaveLength(1);
  expect(room.size).toBe(5);
  state.later = 2_000;
  enter("a");
  expect(room.size).toBe(2);
  expect(newcomer.closed).toBe(false);
});

test("when all have spoken the oldest goes; who leaves makes room", () => {
  const { room, state, enter } = setUp({ perAddress: 100, total: 2 });
  const all = [enter("a"), enter("b")];
  for (const connection of all) connection.silent = false;
  enter("c");
  expect(state.dropped).toEqual([all[0]!]);
  room.leave(all[1]!);
  enter("d");
  expect(state.dropped).toHaveLength(1);
});

import { expect, test } from "bun:test";

import { Connection, type Socket } from "../connection.ts";
import { WaitingRoom } from "./waiting-room.ts";

function setUp(limits: { perAddress: number; total: number }) {
  const state = { later: 0, dropped: [] as Connection[], memory: 0 };
  const room = new WaitingRoom(
    () => Date.now() + state.later,
    (connection) => state.dropped.push(connection),
    limits,
    () => state.memory,
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

const MB = 1024 * 1024;
const names = (connections: Connection[]) => connections.map(({ peer }) => peer.ip);

test("when memory grows the address with the most silent sockets loses them, then everybody who is silent", () => {
  const { room, state, enter } = setUp({ perAddress: 100, total: 100 });
  state.memory = 60 * MB;
  const owner = enter("owner");
  for (let i = 0; i < 3; i++) enter("stranger");
  const signingIn = enter("stranger");
  signingIn.silent = false;
  state.memory = 120 * MB;
  room.look();
  expect(state.dropped).toEqual([]);
  state.memory = 125 * MB;
  room.look();
  expect(names(state.dropped)).toEqual(["stranger", "stranger", "stranger"]);
  expect({ owner: owner.closed, signingIn: signingIn.closed }).toEqual({
    owner: false,
    signingIn: false,
  });
  // Measured from now on: the memory is not given back at once.
  room.look();
  expect(state.dropped).toHaveLength(3);
  for (const ip of ["x", "y", "z"]) enter(ip);
  state.memory = 189 * MB;
  room.look();
  expect(state.dropped).toHaveLength(3);
  state.memory = 190 * MB;
  room.look();
  expect(names(state.dropped.slice(3))).toEqual(["owner", "x", "y", "z"]);
  expect(room.size).toBe(1);
});

test("memory that grows while nobody waits is nobody's fault", () => {
  const { room, state, enter } = setUp({ perAddress: 100, total: 100 });
  room.leave(enter("a"));
  state.memory = 500 * MB;
  const next = enter("b");
  room.look();
  expect(next.closed).toBe(false);
});

/**
 * What phones do with a message that they cannot read: they ask for it once more. It happens whenever a process dies between a key
 * and the message that needs it, and when messages cross while a session begins. The fake alone would hang up.
 */
import { type BinaryNode, proto } from "@whiskeysockets/baileys";

import type { WhatsApp } from "../fakes/whatsapp/index.ts";
import type { Person } from "../fakes/whatsapp/person.ts";

export type Asked = { count: number };

export function phonesAskAgain(fake: WhatsApp, people: readonly Person[]): Asked {
  const { world } = fake;
  const asked: Asked = { count: 0 };
  const unread = new Set<Person>();
  /** Where the message belongs that somebody asked for. */
  const places = new Map<string, string>();
  for (const person of people) {
    const open = person.open.bind(person);
    person.open = async (...args) => {
      try {
        return await open(...args);
      } catch (cause) {
        unread.add(person);
        throw cause;
      }
    };
  }
  const take = world["take"].bind(world);
  world["take"] = async (node: BinaryNode) => {
    try {
      return await take(node);
    } catch (cause) {
      if (!unread.size) throw cause;
      const { id = "", to = "", participant } = node.attrs;
      const place = world.group(to) ? to : undefined;
      if (!places.has(id)) places.set(id, place ?? world.find(participant ?? to)!.id);
      for (const person of unread) {
        asked.count++;
        world.deliver(retryOf(id, person, place));
      }
      unread.clear();
      return undefined;
    }
  };
  const takeAgain = world["takeAgain"].bind(world);
  world["takeAgain"] = async (node: BinaryNode, person: Person) => {
    const error = await takeAgain(node, person);
    const { id = "" } = node.attrs;
    const place = places.get(id);
    const message = world.again.findLast((each) => each.id === id)?.message;
    const isKnown = world.delivered.some((each) => each.id === id);
    if (error === undefined && place !== undefined && message && !isKnown)
      world.delivered.push({ id, to: place, message: proto.Message.fromObject(message), onPhone: true });
    return error;
  };
  return asked;
}

function retryOf(id: string, person: Person, group: string | undefined): BinaryNode {
  const t = String(Math.floor(Date.now() / 1000));
  return {
    tag: "receipt",
    attrs: {
      ...{ id, type: "retry", t },
      ...(group ? { from: group, participant: person.lidJid } : { from: person.lidJid }),
    },
    content: [
      { tag: "retry", attrs: { count: "1", id, t, v: "1" } },
      { tag: "registration", attrs: {}, content: person.registration() },
    ],
  };
}

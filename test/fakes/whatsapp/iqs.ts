/** The questions that a device asks the server, and the answers. What is not here is an error, as it is there. */
import {
  type BinaryNode,
  encodeBigEndian,
  getBinaryNodeChild,
  getBinaryNodeChildBuffer,
  getBinaryNodeChildren,
  jidDecode,
} from "@whiskeysockets/baileys";

import type { Device } from "./device.ts";
import type { Bundle, Person } from "./person.ts";

export type Group = {
  id: string;
  subject: string;
  members: Person[];
  admins: Person[];
  /** Its members are named by hidden ids. */
  lid: boolean;
  about?: string;
};

/** What the answers are made of. */
export type Directory = {
  owner: Person;
  device(): Device | undefined;
  find(jid: string): Person | undefined;
  group(jid: string): Group | undefined;
  mediaHost: string;
  mediaAuth: string;
  /** What the device did that WhatsApp would not like. */
  problem(text: string): void;
};

type Content = BinaryNode[];
const leaf = (tag: string, attrs: Record<string, string> = {}): BinaryNode => ({ tag, attrs });
const bytes = (tag: string, content: Uint8Array): BinaryNode => ({ tag, attrs: {}, content });

/** The content of the answer, or the code of an error. */
export function answer(iq: BinaryNode, at: Directory): Content | number {
  const { xmlns = "", type = "" } = iq.attrs;
  const child = Array.isArray(iq.content) ? iq.content[0] : undefined;
  const name = `${xmlns} ${type} ${child?.tag ?? ""}`;
  if (!iq.attrs.id) return 400;
  switch (name) {
    case "w:p get ping":
    case "passive set active":
    case "privacy set tokens":
    case "urn:xmpp:whatsapp:dirty set clean":
    case "encrypt set rotate":
    case "w:stats set add":
      return [];
    case "encrypt get count":
      return [leaf("count", { value: String(at.device()?.prekeys.size ?? 0) })];
    case "encrypt get digest":
      return [leaf("digest")];
    case "encrypt set registration":
      return upload(iq, at);
    case "encrypt get key":
      return keysFor(child!, at);
    case "usync get usync":
      return usync(child!, at);
    case "abt get props":
      return [leaf("props", { hash: "1" })];
    case "privacy get privacy":
      return [
        {
          tag: "privacy",
          attrs: {},
          content: [leaf("category", { name: "readreceipts", value: "all" })],
        },
      ];
    case "blocklist get ":
      return [leaf("list")];
    case "w:m set media_conn":
      return [
        {
          tag: "media_conn",
          attrs: { auth: at.mediaAuth, ttl: "600", max_buckets: "12" },
          content: [leaf("host", { hostname: at.mediaHost })],
        },
      ];
    case "w:g2 get query":
      return groupOf(iq.attrs.to ?? "", at);
    default:
      at.problem(`unknown question: ${name}`);
      return 501;
  }
}

function upload(iq: BinaryNode, at: Directory): Content | number {
  const device = at.device();
  const identity = getBinaryNodeChildBuffer(iq, "identity");
  if (
    !device ||
    !identity ||
    !Buffer.from(identity).equals(Buffer.from(device.bundleParts.identity))
  ) {
    at.problem("keys of another identity");
    return 406;
  }
  for (const key of getBinaryNodeChildren(getBinaryNodeChild(iq, "list"), "key")) {
    const id = Buffer.from(getBinaryNodeChildBuffer(key, "id")!).readUIntBE(0, 3);
    device.prekeys.set(id, getBinaryNodeChildBuffer(key, "value")!);
  }
  return [];
}

export const bundleNodes = ({ registrationId, identity, signed, once }: Bundle): BinaryNode[] => [
  bytes("registration", encodeBigEndian(registrationId)),
  bytes("type", Buffer.from([5])),
  bytes("identity", identity),
  {
    tag: "skey",
    attrs: {},
    content: [
      bytes("id", encodeBigEndian(signed.keyId, 3)),
      bytes("value", signed.publicKey),
      bytes("signature", signed.signature),
    ],
  },
  ...(once
    ? [
        {
          tag: "key",
          attrs: {},
          content: [bytes("id", encodeBigEndian(once.keyId, 3)), bytes("value", once.publicKey)],
        },
      ]
    : []),
];

function keysFor(child: BinaryNode, at: Directory): Content {
  const users = getBinaryNodeChildren(child, "user").map(({ attrs }): BinaryNode => {
    const person = at.find(attrs.jid ?? "");
    const device = at.device();
    const number = jidDecode(attrs.jid)?.device ?? 0;
    // The library counts the device itself among the members of a group.
    if (device && person === at.owner && number === device.index)
      return { tag: "user", attrs: { jid: attrs.jid! }, content: bundleNodes(device.bundle()) };
    if (!person || number)
      return {
        tag: "user",
        attrs: { jid: attrs.jid! },
        content: [leaf("error", { code: "404", text: "item-not-found" })],
      };
    return { tag: "user", attrs: { jid: attrs.jid! }, content: bundleNodes(person.bundle()) };
  });
  return [{ tag: "list", attrs: {}, content: users }];
}

function usync(child: BinaryNode, at: Directory): Content {
  const wanted = (getBinaryNodeChild(child, "query")?.content as BinaryNode[]).map(
    ({ tag }) => tag,
  );
  const users = getBinaryNodeChildren(getBinaryNodeChild(child, "list"), "user").map((user) => {
    const phone = getBinaryNodeChild(user, "contact")?.content;
    const jid = user.attrs.jid ?? `${String(phone).replace(/\D/g, "")}@s.whatsapp.net`;
    const person = at.find(jid);
    const content: BinaryNode[] = [];
    if (wanted.includes("contact")) content.push(leaf("contact", { type: person ? "in" : "out" }));
    if (person && wanted.includes("lid") && !jid.endsWith("@lid"))
      content.push(leaf("lid", { val: person.lidJid }));
    if (person && wanted.includes("devices"))
      content.push({
        tag: "devices",
        attrs: {},
        content: [{ tag: "device-list", attrs: {}, content: devicesOf(person, at) }],
      });
    return { tag: "user", attrs: { jid }, content };
  });
  return [
    {
      tag: "usync",
      attrs: {},
      content: [leaf("result"), { tag: "list", attrs: {}, content: users }],
    },
  ];
}

function devicesOf(person: Person, at: Directory): BinaryNode[] {
  const own = person === at.owner ? at.device() : undefined;
  return [
    leaf("device", { id: "0" }),
    ...(own ? [leaf("device", { id: String(own.index), "key-index": String(own.index) })] : []),
  ];
}

function groupOf(jid: string, at: Directory): Content | number {
  const group = at.group(jid);
  if (!group) return 404;
  const participants = group.members.map((each) =>
    leaf("participant", {
      jid: group.lid ? each.lidJid : each.jid,
      ...(group.lid ? { phone_number: each.jid } : { lid: each.lidJid }),
      ...(group.admins.includes(each) && { type: "admin" }),
    }),
  );
  const about: BinaryNode[] = group.about
    ? [
        {
          tag: "description",
          attrs: { id: "1" },
          content: [bytes("body", Buffer.from(group.about))],
        },
      ]
    : [];
  return [
    {
      tag: "group",
      attrs: {
        id: group.id.split("@")[0]!,
        subject: group.subject,
        creation: "1700000000",
        s_t: "1700000000",
        addressing_mode: group.lid ? "lid" : "pn",
      },
      content: [...about, ...participants],
    },
  ];
}

/** Which addresses of the network a stranger may make us ask: public ones, and nothing that is only reachable from in here. */
import { AppError } from "../base/errors.ts";
import { ipFamily } from "../base/ip-family.ts";
import { once } from "../base/once.ts";

/** IANA's special-purpose blocks, and the ways to write an IPv4 address inside of an IPv6 one. */
const CLOSED_V4 = [
  "0.0.0.0/8",
  "10.0.0.0/8",
  "100.64.0.0/10",
  "127.0.0.0/8",
  "169.254.0.0/16",
  "172.16.0.0/12",
  "192.0.0.0/24",
  "192.0.2.0/24",
  "192.88.99.0/24",
  "192.168.0.0/16",
  "198.18.0.0/15",
  "198.51.100.0/24",
  "203.0.113.0/24",
  "224.0.0.0/4",
  "240.0.0.0/4",
];
const CLOSED_V6 = [
  "::/96",
  "::ffff:0:0:0/96",
  "64:ff9b::/96",
  "64:ff9b:1::/48",
  "100::/64",
  "2001::/23",
  "2001:db8::/32",
  "2002::/16",
  "3fff::/20",
  "5f00::/16",
  "fc00::/7",
  "fe80::/10",
  "fec0::/10",
  "ff00::/8",
];

/** Made with the first file that is fetched, as node:net is loaded then. */
const closed = once(() => {
  const list = new (process.getBuiltinModule("node:net").BlockList)();
  const add = (block: string, family: "ipv4" | "ipv6"): void => {
    const [net = "", bits] = block.split("/");
    list.addSubnet(net, Number(bits), family);
  };
  for (const block of CLOSED_V4) add(block, "ipv4");
  for (const block of CLOSED_V6) add(block, "ipv6");
  return list;
});

/** Whether an address is out in the world. An IPv4 address inside of an IPv6 one (`::ffff:a.b.c.d`) is looked at as what it is. */
export function isPublic(address: string): boolean {
  const plain = address.replace(/%.*$/, "");
  const family = ipFamily(plain);
  return family !== 0 && !closed().check(plain, family === 4 ? "ipv4" : "ipv6");
}

export type Found = { address: string; family: number };
/** The addresses of a host's name. Throws when there are none. */
export type Resolve = (host: string) => Promise<Found[]>;

export const resolve: Resolve = (host) =>
  process.getBuiltinModule("node:dns/promises").lookup(host, { all: true, verbatim: true });

/**
 * One address of the host, to be connected to as it is: asking for the name again could give another. Throws `forbidden` when any
 * of its addresses is not public, because which one a server answers with is its owner's choice.
 */
export async function publicAddress(
  host: string,
  ask: Resolve = resolve,
  allowed: (address: string) => boolean = isPublic,
): Promise<Found> {
  const plain = host.replace(/^\[|\]$/g, "");
  const family = ipFamily(plain);
  const found = family ? [{ address: plain, family }] : await named(plain, ask);
  const bad = found.find(({ address }) => !allowed(address));
  if (bad || !found[0])
    throw new AppError("forbidden", `${shown(host)} is not an address of the public internet.`, {
      hint: "Files are fetched from the public internet only. Put the file into the workspace and name it as ./file.",
    });
  return found[0];
}

async function named(host: string, ask: Resolve): Promise<Found[]> {
  try {
    return await ask(host);
  } catch (cause) {
    throw new AppError("not_found", `There is no server ${shown(host)}.`, { cause });
  }
}

const shown = (host: string): string => host.slice(0, 100);

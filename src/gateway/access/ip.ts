/** Addresses compared as bytes, never as text: `127.evil.com` and `::ffff:7f00:1` have fooled prefix checks before. */
import { ipFamily } from "../../base/ip-family.ts";

/** An address as 16 bytes (IPv4 as `::ffff:a.b.c.d`), or undefined when the text is not an address. Zone ids are dropped. */
export function parseIp(text: string): Uint8Array | undefined {
  const plain = text.replace(/^\[|\]$/g, "").replace(/%.*$/, "");
  const kind = ipFamily(plain);
  if (kind === 4) return mapped(plain.split(".").map(Number));
  if (kind !== 6) return undefined;
  const dotted = /^(.*:)(\d+\.\d+\.\d+\.\d+)$/.exec(plain);
  const v4 = dotted ? dotted[2]!.split(".").map(Number) : [];
  const hex = dotted
    ? `${dotted[1]}${((v4[0]! << 8) | v4[1]!).toString(16)}:${((v4[2]! << 8) | v4[3]!).toString(16)}`
    : plain;
  const [head = "", tail] = hex.split("::");
  const words = (part: string) => (part ? part.split(":").map((w) => Number.parseInt(w, 16)) : []);
  const [left, right] = [words(head), words(tail ?? "")];
  const all = [...left, ...Array<number>(8 - left.length - right.length).fill(0), ...right];
  return Uint8Array.from(all.flatMap((word) => [word >> 8, word & 255]));
}

const mapped = (v4: number[]): Uint8Array =>
  Uint8Array.from([0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 255, 255, ...v4]);

const isMapped = (ip: Uint8Array): boolean =>
  ip.subarray(0, 10).every((b) => b === 0) && ip[10] === 255 && ip[11] === 255;

/** 127.0.0.0/8 in any spelling, or ::1. */
export function isLoopback(text: string): boolean {
  const ip = parseIp(text);
  if (!ip) return false;
  if (isMapped(ip)) return ip[12] === 127;
  return ip.subarray(0, 15).every((b) => b === 0) && ip[15] === 1;
}

/** One spelling per address, IPv4 without its IPv6 wrapping; the text itself when it is not an address. */
export function plainIp(text: string): string {
  const ip = parseIp(text);
  if (!ip) return text;
  if (isMapped(ip)) return ip.subarray(12).join(".");
  const words = Array.from({ length: 8 }, (_, i) =>
    ((ip[i * 2]! << 8) | ip[i * 2 + 1]!).toString(16),
  );
  return words.join(":");
}

/** What an attacker cannot change cheaply: the address, for IPv6 its /64. Key of limits. */
export function limitKey(text: string): string {
  const ip = parseIp(text);
  if (!ip || isMapped(ip) || isLoopback(text)) return plainIp(text);
  return `${plainIp(text).split(":").slice(0, 4).join(":")}::/64`;
}

/** Whether `text` is the address, or lies in the CIDR block, of one entry. Entries that are neither are ignored. */
export function inList(text: string, entries: readonly string[]): boolean {
  const ip = parseIp(text);
  if (!ip) return false;
  return entries.some((entry) => {
    const [address = "", bits] = entry.trim().split("/");
    const block = parseIp(address);
    if (!block) return false;
    const offset = isMapped(block) && !address.includes(":") ? 96 : 0;
    const length = bits === undefined ? 128 : offset + Number(bits);
    if (!Number.isInteger(length) || length < offset || length > 128) return false;
    for (let bit = 0; bit < length; bit++) {
      const mask = 128 >> (bit & 7);
      if ((ip[bit >> 3]! & mask) !== (block[bit >> 3]! & mask)) return false;
    }
    return true;
  });
}

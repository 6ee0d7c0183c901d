/**
 * `$include`: parts of the config in files of their own. Works on the parsed tree, so that every value still knows its file and line.
 * One file or a list; a list is merged in order; keys beside `$include` win over what is included.
 */
import { dirname, isAbsolute, relative, resolve, sep } from "node:path";

import { realPathOf } from "../base/fs.ts";
import { expandHome } from "../base/paths.ts";
import { type Member, memberOf, type Node, parseDocument, positionOf } from "./document.ts";
import { formatPath } from "./path.ts";
import { placeOf, type Problem } from "./problem.ts";
import { readSource } from "./source.ts";

export const INCLUDE = "$include";
/** Files that include files that include files … */
const DEPTH_MAX = 10;
/** Files in all, so that lists of lists end. */
const FILES_MAX = 200;

/** `files` are all that were looked for, also the one that failed: mending it is a change worth noticing. */
export type Included = { tree: Node; files: string[] } | { problem: Problem; files: string[] };

class IncludeFault {
  constructor(readonly problem: Problem) {}
}

/** The tree with everything included, and the files that were read (the main one is not among them). */
export async function includeAll(
  root: Node,
  { file, home }: { file: string; home: string },
): Promise<Included> {
  const files: string[] = [];
  const base = dirname(realPathOf(file));

  const failAt = (node: Node, path: string[], message: string, hint: string) =>
    new IncludeFault({ path: formatPath([...path, INCLUDE]), message, hint, ...placeOf(node) });

  async function load(node: Node, path: string[], chain: string[]): Promise<Node> {
    if (node.kind !== "value" || typeof node.value !== "string" || node.value.trim() === "")
      throw failAt(
        node,
        path,
        "must be a file name or a list of file names",
        "Put the names in quotes.",
      );
    const name = node.value.trim();
    if (/^[a-z][a-z0-9+.-]+:/i.test(name) && !isAbsolute(name))
      throw failAt(
        node,
        path,
        "names an address; only files can be included",
        "Download it and name the file.",
      );
    const target = realPathOf(resolve(dirname(chain.at(-1)!), expandHome(name, home)));
    if (chain.includes(target))
      throw failAt(
        node,
        path,
        `includes itself: ${[...chain, target].map((f) => relative(base, f) || f).join(" → ")}`,
        "Take one of these includes out.",
      );
    if (chain.length > DEPTH_MAX)
      throw failAt(node, path, `is nested more than ${DEPTH_MAX} files deep`, "Write it flatter.");
    if (files.length >= FILES_MAX)
      throw failAt(node, path, `makes more than ${FILES_MAX} files`, "Put some of them together.");
    files.push(target);
    const read = await readSource(target);
    if (read.kind === "missing")
      throw failAt(
        node,
        path,
        `names a file that is not there: ${target}`,
        "Correct the name, or make the file.",
      );
    if (read.kind === "fault")
      throw new IncludeFault({
        ...read.problem,
        message: `${read.problem.message} (included by ${chain.at(-1)})`,
      });
    refuseForeign(node, path, target, read.mode);
    const parsed = parseDocument(read.doc);
    if (!parsed.ok) {
      const { fault } = parsed;
      throw new IncludeFault({
        path: "",
        message: fault.message,
        hint: fault.hint,
        file: target,
        ...positionOf(read.doc.text, fault.offset),
      });
    }
    return expand(parsed.root, path, [...chain, target]);
  }

  /** Outside the config's own folder, a file that everybody can change must not decide what this program does. */
  function refuseForeign(node: Node, path: string[], target: string, mode: number): void {
    const inside = relative(base, target);
    if (inside.split(sep)[0] !== ".." && !isAbsolute(inside)) return;
    if (process.platform !== "win32" && (mode & 0o002) !== 0)
      throw failAt(
        node,
        path,
        `names a file that every user can change: ${target}`,
        `Take that right away (\`chmod o-w ${target}\`), or put the file beside the config.`,
      );
  }

  async function expand(node: Node, path: string[], chain: string[]): Promise<Node> {
    if (node.kind === "value") return node;
    if (node.kind === "array") {
      const items: Node[] = [];
      for (const [i, item] of node.items.entries())
        items.push(await expand(item, [...path, String(i)], chain));
      return { ...node, items };
    }
    const include = memberOf(node, INCLUDE);
    const own: Member[] = [];
    for (const member of node.members)
      if (member.key !== INCLUDE)
        own.push({ ...member, value: await expand(member.value, [...path, member.key], chain) });
    const rest: Node = { ...node, members: own };
    if (!include) return rest;
    const names = include.value.kind === "array" ? include.value.items : [include.value];
    let whole: Node | undefined;
    for (const name of names) {
      const part = await load(name, path, chain);
      whole = whole ? merge(whole, part) : part;
    }
    if (!whole) return rest;
    if (own.length === 0) return whole;
    if (whole.kind !== "object")
      throw failAt(
        include.value,
        path,
        "includes a list or a plain value, so no other keys can stand beside it",
        "Take the other keys out, or include a group of keys.",
      );
    return merge(whole, rest);
  }

  try {
    return { tree: await expand(root, [], [realPathOf(file)]), files: [...new Set(files)] };
  } catch (cause) {
    if (cause instanceof IncludeFault) return { problem: cause.problem, files };
    throw cause;
  }
}

/** Groups are merged key by key, lists are joined, anything else is replaced by `over`. */
function merge(under: Node, over: Node): Node {
  if (under.kind === "array" && over.kind === "array")
    return { ...over, items: [...under.items, ...over.items] };
  if (under.kind !== "object" || over.kind !== "object") return over;
  const members = under.members.map((member) => {
    const own = memberOf(over, member.key);
    return own ? { ...own, value: merge(member.value, own.value) } : member;
  });
  return {
    ...over,
    members: [...members, ...over.members.filter((m) => !memberOf(under, m.key))],
  };
}

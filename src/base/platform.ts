/**
 * Where the program runs: in a container, on which hosting platform, and which folder of the host a mounted one is. Read from what
 * those leave in files and variables; `root` stands for `/`, so that a test can say what is there.
 */
import { existsSync, readFileSync, realpathSync, statSync } from "node:fs";
import { join } from "node:path";

import type { Env } from "./env.ts";
import { errnoOf } from "./errors.ts";

/** The platforms whose variables are known, each with those of which one is enough. All of them run apps in containers. */
const PLATFORMS: [name: string, marks: string[]][] = [
  ["Fly.io", ["FLY_APP_NAME", "FLY_MACHINE_ID"]],
  ["Render", ["RENDER"]],
  ["Railway", ["RAILWAY_ENVIRONMENT", "RAILWAY_PROJECT_ID"]],
  ["Azure", ["WEBSITE_HOSTNAME"]],
  ["Cloud Run", ["K_SERVICE"]],
  ["Heroku", ["DYNO"]],
];
/** Made by Docker; made by Podman. */
const MARK_FILES = [".dockerenv", "run/.containerenv"];

/** The hosting platform's name, as its users write it. */
export const platformOf = (env: Pick<Env, "raw">): string | undefined =>
  PLATFORMS.find(([, marks]) => marks.some((name) => env.raw(name)))?.[0];

export const inContainer = (env: Pick<Env, "raw">, root = "/"): boolean =>
  platformOf(env) !== undefined ||
  env.raw("KUBERNETES_SERVICE_HOST") !== undefined ||
  MARK_FILES.some((file) => existsSync(join(root, file)));

/** `PORT`, which a hosting platform sets for the app it runs. Elsewhere the word means anything, so it is not read. */
export function platformPort(env: Pick<Env, "raw">): number | undefined {
  const text = platformOf(env) && env.raw("PORT");
  const port = text && /^\d{1,5}$/.test(text) ? Number(text) : 0;
  return port >= 1 && port <= 65_535 ? port : undefined;
}

/** Public names that hosting platforms give to an app. @param hostname of this machine; exe.dev names a VM's page after it */
export function platformHosts(env: Pick<Env, "raw">, hostname: string): string[] {
  const fly = env.raw("FLY_APP_NAME");
  const own = hostname.toLowerCase().split(".")[0]!;
  const label = /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/;
  return [
    ...(fly && label.test(fly)
      ? [`${fly}.fly.dev`, `${fly}.flycast`, `${fly}.internal`, `*.${fly}.internal`]
      : []),
    ...(label.test(own) ? [`${own}.exe.xyz`] : []),
    env.raw("RENDER_EXTERNAL_HOSTNAME"),
    env.raw("RAILWAY_PUBLIC_DOMAIN"),
    env.raw("WEBSITE_HOSTNAME"),
  ].filter((name): name is string => !!name);
}

/**
 * True when what is written to `path` is gone with the container: nothing is mounted there, so it is on the file system of the
 * container's root. Some engines keep both on one device, so the table of mounts is asked too.
 */
export const onRootFileSystem = (path: string, root = "/", table = readMounts()): boolean =>
  statSync(path).dev === statSync(root).dev &&
  (mountOf(realpathSync(path), table)?.at ?? "/") === "/";

/**
 * The folder of the host behind a folder that is mounted into this container; undefined when that cannot be told (a volume of
 * its own, memory, no mount at all). The kernel tells the path within the host's file system, which is the host's own path
 * unless that folder is on another disk there. @param table of `/proc/self/mountinfo`
 */
export function hostFolder(path: string, table = readMounts()): string | undefined {
  const mount = mountOf(path, table);
  if (!mount || mount.at === "/" || mount.from === "/" || /^(?:overlay|tmpfs)$/.test(mount.kind))
    return undefined;
  return join(mount.from, path.slice(mount.at.length));
}

/** `from` within its own file system, `at` here. */
type Mount = { from: string; at: string; kind: string };

/** The mount that a path lies in. */
function mountOf(path: string, table: string): Mount | undefined {
  const mounts = table.split("\n").flatMap((line): Mount[] => {
    const [left = "", right = ""] = line.split(" - ");
    const [, , , from, at] = left.split(" ").map(unescaped);
    const [kind = ""] = right.split(" ");
    const within = at === "/" || path === at || path.startsWith(`${at}/`);
    return from !== undefined && at !== undefined && within ? [{ from, at, kind }] : [];
  });
  // The innermost one; of two at one place the later one hides the earlier.
  return mounts.reduce<Mount | undefined>(
    (best, mount) => (best && best.at.length > mount.at.length ? best : mount),
    undefined,
  );
}

/** Blanks are `\040` there. */
const unescaped = (field: string): string =>
  field.replace(/\\([0-7]{3})/g, (_, octal: string) =>
    String.fromCharCode(Number.parseInt(octal, 8)),
  );

function readMounts(): string {
  try {
    return readFileSync("/proc/self/mountinfo", "utf8");
  } catch (cause) {
    if (["ENOENT", "EACCES"].includes(errnoOf(cause) ?? "")) return "";
    throw cause;
  }
}

/**
 * Where something is missing or damaged the executable starts in another way, or ends with 127 and one sentence that names the
 * remedy: a cut file, too few open files, a kernel or container that refuses memory files, no place to run code from. And which
 * C library it takes where the machine has one, a part of one, or something else in its place. All in roots made for it.
 */
import { afterAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

import { BINARY } from "../../e2e/binary.ts";
import { missing, run } from "../lab.ts";
import {
  asRuntime,
  inRoot,
  makeRoot,
  MAPS,
  noMounts,
  ownGlibc,
  refuseMemfd,
  workFolder,
} from "./rig.ts";

setDefaultTimeout(60_000);
const why = noMounts();
const work = workFolder();
afterAll(work.remove);
const VERSION = /^\d{4}\.\d+\.\d+\S*\n$/;

describe.skipIf(why !== undefined)("a file that is not whole", () => {
  const bytes = why === undefined ? readFileSync(BINARY) : Buffer.alloc(0);
  const started = (content: Uint8Array) => {
    const root = makeRoot(join(work.dir, "broken"), {});
    writeFileSync(join(root, "clawdbot"), content, { mode: 0o755 });
    return run(inRoot(root, ["/clawdbot", "--version"]));
  };

  test.each([1 / 1000, 1 / 10, 1 / 2, 0.95, 1])(
    "cut to a part of %f it says so and does nothing",
    (part) => {
      const kept = Math.min(Math.floor(bytes.length * part), bytes.length - 1);
      expect(started(bytes.subarray(0, kept))).toEqual({
        code: 127,
        stdout: "",
        stderr: "clawdbot: this executable is cut short. Download it again.\n",
      });
    },
  );

  test("with one byte of a library changed it says so and does nothing", () => {
    const libc = bytes.lastIndexOf("stable release version");
    const changed = Buffer.from(bytes);
    changed[libc] = changed[libc]! ^ 1;
    const { code, stdout, stderr } = started(changed);
    expect({ code, stdout }).toEqual({ code: 127, stdout: "" });
    expect(stderr).toMatch(
      /^clawdbot: this executable is damaged\. Download it again.*SHA256SUMS\.\n$/,
    );
  });

  test("with something behind its end, as signing tools leave it, it starts", () => {
    expect(started(Buffer.concat([bytes, Buffer.from("signature")])).stdout).toMatch(VERSION);
  });
});

/** With a shell, and no glibc. */
const root = () =>
  makeRoot(join(work.dir, "shell"), { clawdbot: BINARY, sh: Bun.which("busybox")! });

describe.skipIf(why !== undefined)("limits of the process", () => {
  const limited = (limit: string) =>
    run(inRoot(root(), ["/sh", "-c", `ulimit ${limit}; exec /clawdbot --version`]));

  test("too few open files: it names the limit", () => {
    expect(limited("-n 5")).toEqual({
      code: 127,
      stdout: "",
      stderr:
        "clawdbot: this process may open too few files. Raise the limit (ulimit -n 256) and start again.\n",
    });
  });

  test.each(["-n 64", "-n 256", "-n 1024"])(
    "with %s it starts: no high descriptor is needed",
    (limit) => {
      expect(limited(limit).stdout).toMatch(VERSION);
    },
  );

  test("with standard input, output and error closed it starts", () => {
    const script = 'clawdbot --version 0<&- 1>&- 2>&-; echo "code $?"';
    expect(run(inRoot(root(), ["/sh", "-c", `/${script}`])).stdout).toBe("code 0\n");
  });
});

describe.skipIf(why !== undefined)("memory files", () => {
  const setting = "/proc/sys/vm/memfd_noexec";
  test.skipIf(!existsSync(setting)).each(["1", "2"])(
    "with vm.memfd_noexec=%s it starts as ever",
    (value) => {
      // The setting belongs to the process namespace, so nobody else sees it.
      const script = `echo ${value} > ${setting} && exec /clawdbot --version`;
      const alone = ["unshare", "-pf", ...inRoot(root(), ["/sh", "-c", script])];
      const { stdout, stderr } = run(alone);
      expect({ stdout, stderr }).toEqual({ stdout: expect.stringMatching(VERSION), stderr: "" });
    },
  );
});

const noBwrap =
  why ??
  (process.arch === "x64" ? missing({ bwrap: "bubblewrap" }) : "the filter is written for x64");
describe.skipIf(noBwrap !== undefined)("in a container that refuses memory files", () => {
  const filter = join(work.dir, "filter");
  writeFileSync(filter, refuseMemfd());
  /** `options` of bwrap: what is mounted. */
  const contained = (root: string, options: string[], words: string[]) => {
    const all = ["--bind", root, "/", "--proc", "/proc", "--dev", "/dev", ...options];
    const script = 'filter=$1; shift; exec bwrap --seccomp 3 "$@" 3<"$filter"';
    return run(["sh", "-c", script, "sh", filter, ...all, "--", "/clawdbot", ...words], {
      env: asRuntime,
    });
  };
  const strict = makeRoot(
    join(work.dir, "strict"),
    noBwrap === undefined ? { clawdbot: BINARY } : {},
  );

  test("the libraries lie in unnamed files in /dev/shm, of which nothing stays", () => {
    const { stdout, stderr } = contained(strict, [], MAPS);
    expect(stderr).toBe("");
    expect(stdout).toMatch(/r-xp .* \/dev\/shm\/#\d+ \(deleted\)/);
    expect(stdout).not.toContain("memfd");
  });

  test("without /dev/shm they lie in /tmp", () => {
    const { stdout } = contained(strict, ["--remount-ro", "/dev", "--tmpfs", "/tmp"], MAPS);
    expect(stdout).toMatch(/r-xp .* \/tmp\/#\d+ \(deleted\)/);
  });

  test("with nothing at all it says what to allow", () => {
    const { code, stdout, stderr } = contained(
      strict,
      ["--remount-ro", "/dev", "--remount-ro", "/"],
      MAPS,
    );
    expect({ code, stdout }).toEqual({ code: 127, stdout: "" });
    expect(stderr).toMatch(
      /^clawdbot: this system lets no program run code from memory files .* mount -o remount,exec \/tmp\n$/,
    );
  });
});

describe.skipIf(why !== undefined)("the C library that it takes", () => {
  const glibc = why === undefined ? ownGlibc(BINARY, join(work.dir, "glibc")) : {};
  const loader = Object.keys(glibc)[0]!;
  const mapped = (name: string, files: Record<string, string>) => {
    const at = makeRoot(join(work.dir, name), { clawdbot: BINARY, ...files });
    const { stdout, stderr } = run(inRoot(at, ["/clawdbot", ...MAPS]), { env: asRuntime });
    expect(stderr).toBe("");
    return stdout;
  };

  test("is the machine's own where that is complete", () => {
    const maps = mapped("own", glibc);
    expect(maps).toContain(" /lib/libc.so.6\n");
    expect(maps).not.toMatch(/memfd|deleted/);
  });

  test.each(["libc.so.6", "libdl.so.2", "libm.so.6", "libpthread.so.0"])(
    "is the carried one where %s is missing, as in images with a part of glibc",
    (name) => {
      const part = Object.entries(glibc).filter(([path]) => path !== `lib/${name}`);
      expect(mapped(`without ${name}`, Object.fromEntries(part))).toContain("memfd:libc.so.6");
    },
  );

  test("is the carried one where something else stands in the loader's place", () => {
    const others = { ...glibc, [loader]: Bun.which("busybox")! };
    expect(mapped("stand-in", others)).toContain("memfd:libc.so.6");
    const text = join(work.dir, "not-a-loader");
    writeFileSync(text, "not a loader");
    expect(mapped("text", { ...glibc, [loader]: text })).toContain("memfd:libc.so.6");
    const half = join(work.dir, "half-a-loader");
    const bytes = readFileSync(glibc[loader]!);
    // Its header promises more than there is.
    writeFileSync(half, bytes.subarray(0, 4096), { mode: 0o755 });
    expect(mapped("half", { ...glibc, [loader]: half })).toContain("memfd:libc.so.6");
  });
});

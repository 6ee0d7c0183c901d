/** install.sh under every shell that people pipe it into; the cases are in install.bats, those with the real program in real.bats. */
import { expect, test } from "bun:test";
import { existsSync, mkdirSync, mkdtempSync, renameSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { BINARY } from "../../e2e/binary.ts";
import { missing, run, runBats } from "../lab.ts";

const SCRIPT = "install.sh";

const why = missing({
  bats: "bats",
  dash: "dash",
  busybox: "busybox-static",
  curl: "curl",
  wget: "wget",
  openssl: "openssl",
  perl: "perl",
  shasum: "perl",
  jq: "jq",
  expect: "expect",
  script: "bsdutils",
  setpriv: "util-linux",
});

/**
 * Alpine's shell. Debian's static busybox prefers its own programs to those of PATH, so that no test can put another in their
 * place; the other package does not, but cannot be installed beside it.
 */
function ash(): string {
  const kept = join(tmpdir(), "clawdbot-lab", "busybox");
  if (!existsSync(kept) && Bun.which("apt-get")) {
    const scratch = mkdtempSync(join(tmpdir(), "clawdbot-busybox-"));
    run(["apt-get", "download", "busybox"], { cwd: scratch });
    run(["sh", "-c", "dpkg-deb -x busybox_*.deb ."], { cwd: scratch });
    mkdirSync(join(tmpdir(), "clawdbot-lab"), { recursive: true });
    if (existsSync(join(scratch, "bin/busybox"))) renameSync(join(scratch, "bin/busybox"), kept);
    rmSync(scratch, { recursive: true, force: true });
  }
  return existsSync(kept) ? kept : "busybox";
}

const SUITE = "install/install.bats";

if (why === undefined)
  await runBats([
    { title: "under dash", file: SUITE, env: { TEST_SHELL: "dash" } },
    { title: "under busybox ash", file: SUITE, env: { TEST_SHELL: `${ash()} sh` } },
    { title: "under bash", file: SUITE, env: { TEST_SHELL: "bash" } },
    {
      title: "under bash --posix, with the real program",
      file: "install/real.bats",
      env: { TEST_SHELL: "bash --posix", CLAWDBOT_TEST_BINARY: BINARY },
    },
  ]);
else test.skip(`install.sh (${why})`, () => {});

test("install.sh is clean for shellcheck", () => {
  if (missing({ shellcheck: "shellcheck" })) return;
  expect(run(["shellcheck", "-s", "sh", "-S", "style", SCRIPT])).toEqual({
    code: 0,
    stdout: "",
    stderr: "",
  });
});

test("every shell can read install.sh, and its last line is what starts it", async () => {
  for (const shell of [["dash"], ["busybox", "sh"], ["bash"], ["bash", "--posix"]])
    if (Bun.which(shell[0]!)) expect(run([...shell, "-n", SCRIPT]).stderr).toBe("");
  const text = await Bun.file(SCRIPT).text();
  expect(text.endsWith('\n{ main "$@"; }\n')).toBe(true);
});

test("the release finds the one line for its key", async () => {
  const text = await Bun.file(SCRIPT).text();
  expect(text.match(/@RELEASE_KEY@/g)).toHaveLength(1);
  expect(text).toContain('\nRELEASE_KEY="@RELEASE_KEY@"\n');
});

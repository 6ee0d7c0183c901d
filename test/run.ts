/**
 * The whole test run, one command: types, format, fast tests, the compiled binary, end-to-end and browser tests.
 * Installs what it needs (Chromium through apt, where that can be had) and ends with the plain line `N passed, N failed`.
 * `bun test/run.ts unit` runs only what needs neither the binary nor a browser.
 */
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const only = process.argv[2];
const bun = process.execPath;
const scratch = mkdtempSync(join(tmpdir(), "clawdbot-test-"));
const total = { passed: 0, failed: 0, skipped: 0 };
/** What failed, named again at the end: whoever keeps only the last page of a long run still sees it. */
const failed: string[] = [];

async function run(command: string[], quiet = false): Promise<number> {
  const child = Bun.spawn(command, {
    stdio: ["ignore", quiet ? "ignore" : "inherit", quiet ? "ignore" : "inherit"],
  });
  return child.exited;
}

const say = (text: string) => process.stdout.write(`${text}\n`);

async function check(name: string, command: string[]): Promise<boolean> {
  const started = performance.now();
  const ok = (await run(command)) === 0;
  total[ok ? "passed" : "failed"]++;
  if (!ok) failed.push(name);
  say(`${ok ? "ok  " : "FAIL"} ${name} (${((performance.now() - started) / 1000).toFixed(1)} s)`);
  return ok;
}

const UNESCAPED: Record<string, string> = {
  "&lt;": "<",
  "&gt;": ">",
  "&quot;": '"',
  "&apos;": "'",
  "&#10;": "\n",
  "&amp;": "&",
};

/** The failed tests of a JUnit report: file, name, and the first words of what was wrong. */
function failuresIn(xml: string): string[] {
  const cases = xml.matchAll(/<testcase ([^>]*)>\s*<failure ([^>]*)>/g);
  return Array.from(cases, ([, testcase, failure]) => {
    const value = (from: string, name: string) =>
      (new RegExp(`\\b${name}="([^"]*)"`).exec(from)?.[1] ?? "").replace(
        /&(?:lt|gt|quot|apos|amp|#10);/g,
        (entity) => UNESCAPED[entity]!,
      );
    const title = [value(testcase!, "classname"), value(testcase!, "name")].filter(Boolean);
    const why = value(failure!, "message").slice(0, 600).replace(/\n/g, "\n    ").trimEnd();
    return `${value(testcase!, "file")}: ${title.join(" > ")}\n    ${why}`;
  });
}

/** Counts come from the JUnit file, so that a crashed runner counts as a failure and not as silence. */
async function suite(name: string, paths: string[], timeoutMs: number): Promise<void> {
  const report = join(scratch, `${name}.xml`);
  say(`\n== ${name}`);
  const flags = ["--reporter=junit", `--reporter-outfile=${report}`, `--timeout=${timeoutMs}`];
  const code = await run([bun, "test", ...flags, ...paths]);
  const xml = existsSync(report) ? readFileSync(report, "utf8") : "";
  const head = xml.slice(0, 2000);
  const count = (field: string) =>
    Number(new RegExp(`<testsuites[^>]*\\b${field}="(\\d+)"`).exec(head)?.[1] ?? 0);
  const [tests, failures, skipped] = [count("tests"), count("failures"), count("skipped")];
  total.passed += tests - failures - skipped;
  total.failed += failures;
  total.skipped += skipped;
  failed.push(...failuresIn(xml));
  if (code !== 0 && failures === 0) {
    total.failed++;
    failed.push(`${name}: the runner ended with ${code}`);
  }
  say(`== ${name}: ${tests - failures - skipped} passed, ${failures} failed, ${skipped} skipped`);
}

const deploy = () =>
  readdirSync("test/deploy", { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map((entry) => entry.name)
    .sort();

async function findChromium(): Promise<boolean> {
  const found = () =>
    ["chromium", "chromium-browser", "google-chrome"].some((name) => Bun.which(name));
  if (found()) return true;
  if (process.platform !== "linux" || !Bun.which("apt-get") || process.getuid?.() !== 0)
    return false;
  say("Installing Chromium for the browser tests ...");
  await run(["apt-get", "update"], true);
  await run(["apt-get", "install", "-y", "--no-install-recommends", "chromium"], true);
  return found();
}

try {
  await check("types", [bun, "check"]);
  await check("format", [bun, "fmt", "--check"]);
  const fast = [
    "src",
    "web",
    "test/rules",
    "test/property",
    "test/contract",
    "test/providers",
    "test/gateway",
    "test/flow",
    "test/channels",
    "test/compat",
    "test/migrate",
    "test/deploy/checklist.test.ts",
    "test/deploy/guides/blocks.test.ts",
  ];
  await suite(
    "fast",
    fast.filter(existsSync).map((path) => `./${path}`),
    20_000,
  );
  if (only !== "unit" && (await check("build", [bun, "build.ts"]))) {
    const chromium = await findChromium();
    await suite("e2e", ["./test/e2e"], 300_000);
    // One run each: they start engines and machines of their own, and one that fails must not take the others with it.
    for (const part of deploy()) await suite(part, [`./test/deploy/${part}`], 900_000);
    if (chromium) await suite("browser", ["./test/browser"], 120_000);
    else {
      total.skipped++;
      say(
        "skipped: browser tests, because there is no Chromium and apt-get cannot install it here",
      );
    }
  }
} finally {
  rmSync(scratch, { recursive: true, force: true });
}
say("");
for (const what of failed) say(`failed: ${what}`);
say(
  `${total.passed} passed, ${total.failed} failed${total.skipped ? `, ${total.skipped} skipped` : ""}`,
);
process.exit(total.failed ? 1 : 0);

/**
 * Measures the figures that the project promises and prints them beside their bounds and beside a floor program that was
 * measured in the same run. Ends with 1 when a bound is missed, and says which.
 * `bun bench/run.ts [--only <word>] [--quick] [--json]`
 */
import { rmSync } from "node:fs";
import { join } from "node:path";

import { channelRows } from "./channels.ts";
import { fanOutRows, historyRows } from "./data.ts";
import type { Row } from "./harness.ts";
import { FLOOR, holds } from "./harness.ts";
import { commandRows, idleRows, pageRows, startRows } from "./starting.ts";
import { crowdRows, turnRows } from "./turns.ts";

const argv = process.argv.slice(2);
const only = argv.includes("--only") ? (argv[argv.indexOf("--only") + 1] ?? "") : "";
const runs = argv.includes("--quick") ? 3 : 9;

const PARTS: [name: string, measure: () => Promise<Row[]>][] = [
  ["start", () => startRows(runs)],
  ["commands", () => commandRows(runs)],
  ["idle", idleRows],
  ["channels", () => channelRows(runs)],
  ["page", pageRows],
  ["turns", () => turnRows(Math.min(runs, 3))],
  ["crowd", crowdRows],
  ["history", () => historyRows(runs)],
  ["fan-out", fanOutRows],
];

function sh(command: string[]): void {
  const child = Bun.spawnSync(command, { stdout: "ignore", stderr: "inherit" });
  if (child.exitCode !== 0) throw new Error(`${command.join(" ")} ended with ${child.exitCode}`);
}

function prepare(): void {
  sh([process.execPath, "build.ts"]);
  const floor = join(import.meta.dir, "floor.ts");
  sh([process.execPath, "build", floor, "--compile", "--minify", "--bytecode", "--outfile", FLOOR]);
}

const shown = (value: number): string =>
  value >= 1000 ? Math.round(value).toLocaleString("en") : value.toFixed(value < 10 ? 2 : 1);

function line(row: Row): string {
  const bound =
    row.bound === undefined ? "" : `${/\/s$/.test(row.unit) ? "≥" : "≤"} ${shown(row.bound)}`;
  const verdict = row.bound === undefined ? "" : holds(row) ? "ok" : "MISSED";
  const value = `${shown(row.value)} ${row.unit}`;
  return `${row.name.padEnd(48)} ${value.padStart(18)} ${bound.padStart(10)}  ${verdict} ${row.note ?? ""}`.trimEnd();
}

const rows: Row[] = [];
prepare();
try {
  for (const [name, measure] of PARTS) {
    if (only && !name.includes(only)) continue;
    for (const row of await measure()) {
      rows.push(row);
      if (!argv.includes("--json")) process.stdout.write(`${line(row)}\n`);
    }
  }
} finally {
  rmSync(FLOOR, { force: true });
}
if (argv.includes("--json")) process.stdout.write(`${JSON.stringify(rows, null, 2)}\n`);
const missed = rows.filter((row) => !holds(row));
if (missed.length > 0) {
  process.stderr.write(`Missed: ${missed.map((row) => row.name).join("; ")}\n`);
  process.exit(1);
}

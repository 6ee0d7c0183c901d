/**
 * A bar for long work whose size is known, on stderr: bytes, share, speed and the time that is left. Without a terminal a plain line now
 * and then; nothing with --json.
 */
import { isTerminal } from "../base/terminal.ts";
import type { Cli } from "./command.ts";

/** Between two drawings, and between two plain lines, in ms. */
const DRAW_MS = 100;
const LINE_MS = 5000;
/** The bar is this wide at most, in columns. */
const BAR_MAX = 30;

export type Progress = {
  /** How far it is, in bytes. `total` may be known only later. */
  at(bytes: number, total?: number): void;
  /** Clears the bar; what was done is said by the caller. Safe to call twice. */
  end(): void;
};

/** 1.5 kB, 23 MB, 1.2 GB. */
export function formatBytes(bytes: number): string {
  const units = ["B", "kB", "MB", "GB", "TB"];
  let value = Math.max(0, bytes);
  let unit = 0;
  while (value >= 999.5 && unit < units.length - 1) {
    value /= 1000;
    unit++;
  }
  const digits = unit > 0 && value < 9.95 ? 1 : 0;
  return `${value.toFixed(digits)} ${units[unit]!}`;
}

/** 8 s, 1:05, 2:00:00. */
export function formatSeconds(seconds: number): string {
  const whole = Math.max(0, Math.round(seconds));
  if (whole < 60) return `${whole} s`;
  const two = (n: number) => String(n).padStart(2, "0");
  const [h, m, s] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60];
  return h > 0 ? `${h}:${two(m)}:${two(s)}` : `${m}:${two(s)}`;
}

/** What stands on one line of `columns`; never longer. */
export function progressLine(
  label: string,
  { bytes, total, ms }: { bytes: number; total: number | undefined; ms: number },
  columns: number,
): string {
  const room = Math.max(10, columns - 1);
  const speed = ms > 500 ? bytes / (ms / 1000) : 0;
  const pace = speed > 0 ? ` ${formatBytes(speed)}/s` : "";
  if (total === undefined || total <= 0)
    return `${label} ${formatBytes(bytes)}${pace}`.slice(0, room);
  const share = Math.min(1, bytes / total);
  const left = speed > 0 && share < 1 ? ` ${formatSeconds((total - bytes) / speed)} left` : "";
  const numbers = `${String(Math.floor(share * 100)).padStart(3)}% ${formatBytes(bytes)} of ${formatBytes(total)}`;
  // In a narrow terminal first the time goes, then the speed, then the bar.
  for (const tail of [pace + left, pace, ""]) {
    const width = Math.min(BAR_MAX, room - label.length - numbers.length - tail.length - 4);
    if (width < 8) continue;
    const full = Math.round(share * width);
    return `${label} [${"#".repeat(full)}${"-".repeat(width - full)}] ${numbers}${tail}`;
  }
  return `${label} ${numbers}`.slice(0, room);
}

/** @param options arguments for tests only: whether stderr is a terminal that can be drawn on, and how wide it is */
export function openProgress(
  { out, env }: Pick<Cli, "out" | "env">,
  label: string,
  {
    terminal = isTerminal(2) && env.raw("TERM") !== "dumb",
    columns = () => process.stderr.columns || 80,
  } = {},
): Progress {
  if (out.json) return { at() {}, end() {} };
  const began = performance.now();
  let drawnAt = began - (terminal ? DRAW_MS : 0);
  let drawn = false;
  return {
    at(bytes, total) {
      const now = performance.now();
      if (now - drawnAt < (terminal ? DRAW_MS : LINE_MS)) return;
      drawnAt = now;
      const line = progressLine(
        label,
        { bytes, total, ms: now - began },
        terminal ? columns() : 80,
      );
      if (!terminal) return out.note(line);
      out.prompt(`\r${line}\u001b[K`);
      drawn = true;
    },
    end() {
      if (drawn) out.prompt("\r\u001b[K");
      drawn = false;
    },
  };
}

/** Runs the system's own commands (`systemctl`, `launchctl`, `schtasks`) to their end. */
import { AppError } from "../base/errors.ts";
import { childEnv } from "../tools/environment.ts";

export type Ran = { code: number; out: string; err: string };
export type Tool = (command: string[], options?: { timeoutMs?: number }) => Promise<Ran>;

/** Longest wait for one command, in ms. Stopping a service takes as long as its running turns need. */
const TIMEOUT_MS = 90_000;
/** The shell's codes for "not found" and, of `timeout`, for "took too long". */
export const NOT_FOUND = 127;
const TOO_LATE = 124;

/**
 * A runner whose commands see the harmless part of `vars`, speak English and never ask anything. It never throws: a command that is
 * not there ends with 127, one that hangs with 124.
 */
export function toolRunner(vars: Readonly<Record<string, string | undefined>>): Tool {
  const env: Record<string, string> = {
    ...childEnv({ ...vars }),
    LC_ALL: "C",
    SYSTEMD_COLORS: "0",
    SYSTEMD_PAGER: "",
    SYSTEMD_LESS: "",
  };
  return async ([name = "", ...args], { timeoutMs = TIMEOUT_MS } = {}) => {
    const path = Bun.which(name, { PATH: env["PATH"] ?? "" });
    if (!path) return { code: NOT_FOUND, out: "", err: `${name}: not found` };
    const child = Bun.spawn([path, ...args], {
      env,
      stdin: "ignore",
      stdout: "pipe",
      stderr: "pipe",
      timeout: timeoutMs,
      killSignal: "SIGKILL",
    });
    const [out, err, code] = await Promise.all([
      new Response(child.stdout).text(),
      new Response(child.stderr).text(),
      child.exited,
    ]);
    if (child.signalCode === "SIGKILL")
      return { code: TOO_LATE, out, err: `${name} did not end within ${timeoutMs / 1000} s` };
    return { code, out: out.trim(), err: err.trim() };
  };
}

/** Throws service_failed with the command's own words unless it ended well. `doing` finishes "… failed". */
export function must(ran: Ran, doing: string, hint?: string): Ran {
  if (ran.code === 0) return ran;
  const said = (ran.err || ran.out || `exit code ${ran.code}`).split("\n").slice(0, 4).join("\n");
  throw new AppError("service_failed", `${doing} failed: ${said}`, { ...(hint && { hint }) });
}

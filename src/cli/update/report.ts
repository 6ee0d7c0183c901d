/** What an update did, step by step: in words while it works, and as the one JSON object at its end. */
import { VERSION } from "../../base/brand.ts";
import { ERRORS, toAppError } from "../../base/errors.ts";
import type { Cli } from "../command.ts";

/** As in the original, whose steps are commands; ours say what they did in its place. */
type Step = {
  name: string;
  command: string;
  cwd: string;
  durationMs: number;
  exitCode: 0 | 1;
  stdoutTail: string | null;
  stderrTail: string | null;
};

export type Outcome = {
  status: "ok" | "skipped";
  /** A word for scripts; null when it was simply done. */
  reason: string | null;
  /** The version in place afterwards. */
  after: string;
  /** For people. */
  lines: string[];
  extra?: Record<string, unknown>;
};

export class Report {
  private readonly steps: Step[] = [];
  private readonly began = performance.now();

  constructor(
    private readonly cli: Cli,
    private readonly root: string,
    public mode = "binary",
  ) {}

  /** Does one step and notes how it went; its failure goes on to the caller. */
  async step<T>(name: string, command: string, work: () => Promise<T> | T): Promise<T> {
    const began = performance.now();
    const note = (exitCode: 0 | 1, stderrTail: string | null) =>
      this.steps.push({
        name,
        command,
        cwd: this.root,
        durationMs: Math.round(performance.now() - began),
        exitCode,
        stdoutTail: null,
        stderrTail,
      });
    try {
      const result = await work();
      note(0, null);
      return result;
    } catch (cause) {
      note(1, toAppError(cause).message.slice(-2000));
      throw cause;
    }
  }

  /** Runs the whole, and tells its outcome in words or as JSON. @returns the exit code; throws what went wrong without --json */
  async tell(json: boolean, run: () => Promise<Outcome>): Promise<number> {
    const { out } = this.cli;
    try {
      const { status, reason, after, lines, extra } = await run();
      if (json) out.data({ ...this.facts(status, reason, after), ...extra });
      else for (const line of lines) out.line(line);
      return 0;
    } catch (cause) {
      if (!json) throw cause;
      const { code, message, hint, details } = toAppError(cause);
      const reason = (details as { reason?: string } | undefined)?.reason ?? code;
      out.data({
        ok: false,
        ...this.facts("error", reason, VERSION),
        error: { type: "cli_error", message, code, ...(hint && { hint }) },
      });
      return ERRORS[code].exit;
    }
  }

  private facts(status: string, reason: string | null, after: string) {
    return {
      status,
      mode: this.mode,
      root: this.root,
      reason,
      before: { version: VERSION },
      after: { version: after },
      steps: this.steps,
      durationMs: Math.round(performance.now() - this.began),
    };
  }
}

/** One thing that is wrong or odd about a config, told so that it can be found and put right. */
import { basename } from "node:path";

import { AppError } from "../base/errors.ts";
import { type Node, positionOf } from "./document.ts";

export type Problem = {
  /** The key, as in `config set`; empty for the file as a whole. */
  path: string;
  /** Reads on after the key: "must be a whole number". For the file as a whole it is a sentence without its full stop. */
  message: string;
  hint?: string;
  file?: string;
  line?: number;
  column?: number;
};

/** Where a value stands. */
export function placeOf(node: Node): { file: string; line: number; column: number } {
  return { file: node.doc.name, ...positionOf(node.doc.text, node.start) };
}

/** One line: `clawdbot.json line 3, column 12: gateway.port must be a whole number.` */
export function describe({ path, message, file, line, column }: Problem): string {
  const place = file && `${basename(file)}${line ? ` line ${line}, column ${column ?? 1}` : ""}: `;
  return `${place ?? ""}${path ? `${path} ` : ""}${message}.`;
}

/**
 * The error for a config that cannot be used. All problems are in `details.issues`; the message names the first three.
 * `fix` says where to correct it when that is not the file itself.
 */
export function configInvalid(
  path: string,
  problems: readonly Problem[],
  { lead = "The config cannot be used.", fix }: { lead?: string; fix?: string | undefined } = {},
): AppError {
  const shown = problems.slice(0, 3).map(describe).join(" ");
  const more = problems.length > 3 ? ` And ${problems.length - 3} more.` : "";
  const hint = [problems[0]?.hint, fix].filter(Boolean).join(" ");
  return new AppError("config_invalid", `${lead} ${shown}${more}`, {
    ...(hint && { hint }),
    details: { file: path, issues: problems },
  });
}

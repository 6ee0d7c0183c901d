/** Validation failures in the words of the original's clients, which show them to people and match on parts of them. */
import type { z } from "zod";

type Issue = z.core.$ZodIssue;

const ARTICLES: Record<string, string> = { int: "integer", record: "object" };
const MAX_ISSUES = 8;

const pointer = (path: readonly PropertyKey[]): string => path.map((p) => `/${String(p)}`).join("");
const at = (path: readonly PropertyKey[], message: string): string =>
  path.length ? `at ${pointer(path)}: ${message}` : message;

function words(issue: Issue): string {
  switch (issue.code) {
    case "unrecognized_keys":
      return issue.keys
        .map((key) => `at ${pointer(issue.path) || "root"}: unexpected property '${key}'`)
        .join("; ");
    case "invalid_type":
      if (issue.input === undefined && issue.path.length)
        return at(
          issue.path.slice(0, -1),
          `must have required property '${String(issue.path.at(-1))}'`,
        );
      return at(issue.path, `must be ${ARTICLES[issue.expected] ?? issue.expected}`);
    case "too_small":
      if (issue.origin === "string")
        return at(issue.path, `must NOT have fewer than ${issue.minimum} characters`);
      if (issue.origin === "array")
        return at(issue.path, `must NOT have fewer than ${issue.minimum} items`);
      return at(issue.path, `must be >= ${issue.minimum}`);
    case "too_big":
      if (issue.origin === "string")
        return at(issue.path, `must NOT have more than ${issue.maximum} characters`);
      if (issue.origin === "array")
        return at(issue.path, `must NOT have more than ${issue.maximum} items`);
      return at(issue.path, `must be <= ${issue.maximum}`);
    case "invalid_value":
      // A sentence of our own, given with the schema.
      if (!issue.message.startsWith("Invalid ")) return at(issue.path, issue.message);
      if (issue.input === undefined && issue.path.length)
        return at(
          issue.path.slice(0, -1),
          `must have required property '${String(issue.path.at(-1))}'`,
        );
      return at(
        issue.path,
        `must be one of ${issue.values.map((v) => `"${String(v)}"`).join("|")}`,
      );
    default:
      return at(issue.path, issue.message);
  }
}

/** All failures in one line: `at /client/id: must be string; at root: unexpected property 'x'`. */
export const describeIssues = (error: z.ZodError): string =>
  error.issues.slice(0, MAX_ISSUES).map(words).join("; ");

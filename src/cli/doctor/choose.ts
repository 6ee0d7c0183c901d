/** Which checks are run, and which of their fixes are done: by flags, or by asking the person at the terminal. */
import { AppError } from "../../base/errors.ts";
import { nearest } from "../../base/nearest.ts";
import type { Check } from "../../doctor/check.ts";
import { fixable } from "../../doctor/mend.ts";
import { openAsk } from "../ask.ts";
import type { Out } from "../out.ts";

type Fixable = ReturnType<typeof fixable>;

/** The checks that are meant. Throws usage for a name that no check has. */
export function chosenChecks(
  all: readonly Check[],
  { only, skip }: { only: readonly string[]; skip: readonly string[] },
): Check[] {
  const ids = all.map(({ id }) => id);
  const names = (given: readonly string[]) => given.flatMap((text) => text.split(","));
  for (const name of names([...only, ...skip]))
    if (!ids.includes(name)) {
      const near = nearest(name, ids);
      throw new AppError("usage", `There is no check "${name.slice(0, 80)}".`, {
        hint: near ? `Did you mean ${near}?` : `There are: ${ids.join(", ")}.`,
      });
    }
  return all.filter(
    ({ id }) => (only.length === 0 || names(only).includes(id)) && !names(skip).includes(id),
  );
}

/** Without asking: what is safe, and with `force` a new file for the service. */
export const plainFixes = (findings: Fixable, force: boolean): Fixable =>
  findings.filter(({ fix }) => fix.kind === "safe" || (force && fix.kind === "service"));

/** Asks about every fix before the first is done, so that Ctrl-C at any question leaves everything as it is. Throws aborted. */
export async function askedFixes(findings: Fixable, out: Out): Promise<Fixable> {
  if (findings.length === 0) return [];
  const ask = openAsk(out);
  try {
    const wanted: Fixable = [];
    out.note("");
    for (const finding of findings) {
      const { label, kind } = finding.fix;
      if (await ask.yes(`${label}?`, kind === "safe")) wanted.push(finding);
    }
    return wanted;
  } finally {
    ask.close();
  }
}

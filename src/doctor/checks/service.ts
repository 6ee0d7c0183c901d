/** The background service: does its file still say what it should, and does it go on when nobody is logged in? */
import type { Check, Finding, Fix } from "../check.ts";

/** The secret stands where others may read it. */
const SECRET_CODE = "gateway-token-embedded";

export const serviceCheck: Check = {
  id: "service",
  title: "Background service",
  async run({ service, command, running }) {
    const { state, findings, older, reinstall, start } = service;
    const rewrite: Fix | undefined = reinstall && {
      kind: "service",
      label: "Write the background service anew; its former file is kept",
      done: "The background service is written anew.",
      run: reinstall,
    };
    const found: Finding[] = findings.map(({ code, message }, i) => ({
      severity: "warning",
      message: `${message} (${code})`,
      fixHint: `${command} gateway install --force`,
      ...(code === SECRET_CODE && {
        audit: { id: "unit.inline_secret", title: "Secrets in the service's file" },
      }),
      // One of them mends all.
      ...(i === 0 && rewrite && { fix: rewrite }),
    }));
    for (const name of older)
      found.push({
        severity: "warning",
        message: `${name}, the service of an older version, is still installed; two gateways would fight over one state folder.`,
        fixHint: `${command} gateway install`,
        ...(found.length === 0 && rewrite && { fix: rewrite }),
      });
    if (!state?.installed) return found;
    if (!running && !state.running)
      found.push({
        severity: "error",
        message: `The service is installed but does not run (${state.detail}), so nobody gets an answer.`,
        fixHint: `${command} gateway start`,
        ...(start && {
          fix: {
            kind: "safe",
            label: "Start the background service",
            done: "The background service runs.",
            run: start,
          },
        }),
      });
    if (state.linger === false)
      found.push({
        severity: "warning",
        message: "The service ends when you log out: lingering is off.",
        fixHint: 'sudo loginctl enable-linger "$USER"',
      });
    return found;
  },
};

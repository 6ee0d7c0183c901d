/** The background service: does its file still say what it should, and does it go on when nobody is logged in? */
import type { Check, Finding } from "../check.ts";

export const serviceCheck: Check = {
  id: "service",
  title: "Background service",
  async run({ service, command, running }) {
    const { state, findings, older } = service;
    const found: Finding[] = findings.map(({ code, message }) => ({
      severity: "warning",
      message: `${message} (${code})`,
      fixHint: `${command} gateway install --force`,
    }));
    for (const name of older)
      found.push({
        severity: "warning",
        message: `${name}, the service of an older version, is still installed; two gateways would fight over one state folder.`,
        fixHint: `${command} gateway install`,
      });
    if (!state?.installed) return found;
    if (!running && !state.running)
      found.push({
        severity: "error",
        message: `The service is installed but does not run (${state.detail}).`,
        fixHint: `${command} gateway start`,
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

/** Who can get in, and with which secret. */
import { startProblems } from "../../gateway/secret.ts";
import type { Check, Finding } from "../check.ts";

/** The start itself refuses these; here they are told before it is tried. */
export const secretCheck: Check = {
  id: "gateway-secret",
  title: "Sign-in",
  async run({ loaded, command }) {
    const { config, env } = loaded;
    if (!config) return [];
    const bind = env.gatewayBind ?? config.gateway.bind;
    const problem = startProblems(config, { bind, allowUnconfigured: true }, env);
    if (problem)
      return [
        {
          severity: "critical",
          message: problem.message,
          ...(problem.hint && { fixHint: problem.hint }),
          path: "gateway.auth",
        },
      ];
    const open = !["loopback", "auto"].includes(bind);
    const findings: Finding[] = [];
    if (config.gateway.auth.mode === "none")
      findings.push({
        severity: "warning",
        message: "gateway.auth.mode is none: every program on this machine can use the assistant.",
        fixHint: `${command} config set gateway.auth.mode token`,
        path: "gateway.auth.mode",
      });
    if (open)
      findings.push({
        severity: "info",
        message: `The gateway listens beyond this machine (${bind}), protected by its secret. On the open internet put HTTPS in front.`,
      });
    const { token, password } = config.gateway.auth;
    const twice = [
      ["token", "GATEWAY_TOKEN", token, env.gatewayToken],
      ["password", "GATEWAY_PASSWORD", password, env.gatewayPassword],
    ] as const;
    for (const [name, variable, inFile, inEnv] of twice)
      if (inFile && inEnv && inFile !== inEnv)
        findings.push({
          severity: "warning",
          message: `gateway.auth.${name} and CLAWDBOT_${variable} differ; clients that read only one of them are refused.`,
          fixHint: `${command} config unset gateway.auth.${name}`,
          path: `gateway.auth.${name}`,
        });
    return findings;
  },
};

/** Secrets that stand in clear where they need not. */
import { valueAt } from "../../config/path.ts";
import type { Check } from "../check.ts";

/** A text that no variable fills. */
const literal = (value: unknown): boolean =>
  typeof value === "string" && value.trim() !== "" && !value.includes("${");

export const storedSecretsCheck: Check = {
  id: "stored-secrets",
  title: "Secrets in files",
  async run({ loaded, paths }) {
    if (!literal(valueAt(loaded.parsed, ["gateway", "auth", "password"]))) return [];
    return [
      {
        severity: "info",
        message:
          "gateway.auth.password stands in the config in clear; a person's password is often used elsewhere too, and configs get shared.",
        fixHint: `Put CLAWDBOT_GATEWAY_PASSWORD=… into ${paths.stateDir}/.env, and remove it from the config.`,
        path: "gateway.auth.password",
        audit: {
          id: "config.secrets.gateway_password_in_config",
          title: "A password stands in the config",
        },
      },
    ];
  },
};

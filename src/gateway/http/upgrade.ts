/** Which pages may open a socket at all: the first line against a foreign site in the owner's browser. */
import { remoteText } from "../../base/log-lines.ts";
import { hostAllowed, type HostRules, originAllowed, type Peer } from "../access/origin.ts";
import { type RepeatLog } from "../log/repeat-log.ts";

/** The refusal of an upgrade, or undefined. Nothing is told but the setting that would allow it. */
export function refuseUpgrade(
  headers: Headers,
  { trusted, origin, ip }: Peer,
  rules: HostRules,
  abuse: RepeatLog,
): Response | undefined {
  // Browsers always send Origin here, so a request without one is a program's, which DNS rebinding cannot steer.
  if (trusted || origin === undefined) return undefined;
  const host = headers.get("host");
  if (!hostAllowed(host, rules)) {
    abuse.warn("unknown host name", { ip, host: remoteText(host ?? "") });
    return new Response(
      "Misdirected Request: add this host name to gateway.allowedHosts in the config.\n",
      { status: 421 },
    );
  }
  if (originAllowed(origin, host, rules)) return undefined;
  abuse.warn("origin not allowed", {
    ip,
    origin: remoteText(origin),
    host: remoteText(host ?? ""),
  });
  return new Response(
    "Forbidden: this page may not connect. Add its origin to gateway.controlUi.allowedOrigins.\n",
    { status: 403 },
  );
}

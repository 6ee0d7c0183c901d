/**
 * `<state>/gateway.env`: variables of the background service, one `NAME="value"` per line. Written so that systemd's EnvironmentFile=
 * and a shell read the same as this file does. The gateway reads it by itself too, because launchd and Windows have no such thing.
 */
import { join } from "node:path";

export const serviceEnvPath = (stateDir: string): string => join(stateDir, "gateway.env");

/** Most characters of one value; systemd takes lines of 1 MB. */
const MAX_VALUE = 65_536;
// oxlint-disable-next-line no-control-regex
const CONTROL = /[\u0000-\u001f\u007f]/;

/** False for what no line can hold: line ends and other control characters. */
export const fitsEnvLine = (value: string): boolean =>
  value.length <= MAX_VALUE && !CONTROL.test(value);

/** One line without its end. The value must fit (`fitsEnvLine`). */
export const envLine = (name: string, value: string): string =>
  `${name}="${value.replace(/["\\`$]/g, "\\$&")}"`;

const LINE = /^\s*(?:export\s+)?([A-Za-z_]\w*)\s*=\s*(.*?)\s*$/;

/** What the file says; a line that is none is skipped, the last of two with one name counts. Never throws. */
export function parseEnvFile(text: string): Record<string, string> {
  const vars: Record<string, string> = {};
  for (const line of text.replace(/^\ufeff/, "").split(/\r?\n/)) {
    const [, name, value] = LINE.exec(line) ?? [];
    if (name !== undefined && value !== undefined) vars[name] = unquote(value);
  }
  return vars;
}

function unquote(value: string): string {
  const single = /^'([^']*)'$/.exec(value);
  if (single) return single[1]!;
  const double = /^"((?:[^"\\]|\\.)*)"$/.exec(value);
  return double ? double[1]!.replace(/\\(["\\`$])/g, "$1") : value;
}

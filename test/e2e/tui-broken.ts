/** A program with the terminal for itself that breaks outside of everything that catches: run by tui.test.ts in a pseudo-terminal. */
import { Out } from "../../src/cli/out.ts";
import { openTerminal } from "../../src/cli/tui/screen/terminal.ts";

const out = new Out({ json: false });
const over = Promise.withResolvers<void>();
const terminal = openTerminal(out, {
  key: () =>
    queueMicrotask(() => {
      throw new TypeError("It broke.");
    }),
  resized: () => undefined,
  ended: () => over.resolve(),
  failed: (cause) => over.reject(cause),
});
terminal.write("\u001b[?25l\u001b[?7ldrawn\r\n");
try {
  await over.promise;
} catch (cause) {
  terminal.close();
  out.line(String(cause));
  process.exitCode = 3;
}

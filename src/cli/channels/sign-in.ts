/** A sign-in as a person at the terminal sees it: the picture to scan, drawn anew when it changes, the code, the end. */
import { qrText } from "../../channels/qr.ts";
import { type Out, safeText } from "../out.ts";

/** One step, whoever tells it: the gateway, or the channel in this process. */
export type Shown = {
  qr?: string | undefined;
  code?: string | undefined;
  message: string;
};

export type Screen = {
  show(step: Shown): void;
};

export function openScreen(out: Out): Screen {
  /** Lines of the last picture, when nothing was printed below it. */
  let drawn = 0;
  let last = "";
  return {
    show({ qr, code, message }) {
      const same = `${qr} ${code} ${message}`;
      if (same === last) return;
      last = same;
      if (out.json) {
        const kind = qr ? "qr" : code ? "code" : "wait";
        return out.jsonLine({ type: kind, ...(qr && { qr }), ...(code && { code }), message });
      }
      if (!qr) {
        drawn = 0;
        return out.line(safeText(message));
      }
      const text = `${qrText(qr, { colour: out.colour })}\n${safeText(message)}\n`;
      // The old picture is worth nothing any more: the new one takes its place.
      if (out.tty && out.colour && drawn > 0) out.raw(`\u001b[${drawn}A\u001b[J`);
      out.raw(text);
      drawn = text.split("\n").length - 1;
    },
  };
}

/** A step of a channel's sign-in as a set-up and `channels login` show it. */
import type { LoginStep } from "../channels/channel.ts";
import type { Shown } from "./guide.ts";

const SCAN = "Scan this with the phone: Settings, Linked devices, Link a device.";

export function shownOf(step: LoginStep): Shown {
  switch (step.kind) {
    case "qr":
      return { qr: step.data, message: SCAN };
    case "code":
      return { code: step.code, message: `Type this code into the phone: ${step.code}` };
    case "wait":
    case "done":
      return { message: step.text };
    case "failed":
      return { message: step.error.message };
  }
}

/** Turns the bytes of a process into text for a model: UTF-8 across chunk borders, no terminal codes, no binary. */

const CODE =
  /\x1b(?:\[[0-?]*[ -/]*[@-~]|[\]PX^_][^\x07\x1b]*(?:\x07|\x1b\\)|[ -/]+[0-~]|[0-OQ-WYZ\\`-~])/g;
/** The beginning of a code whose end is still to come. */
const UNFINISHED = /^\x1b(?:\[[0-?]*[ -/]*|[\]PX^_][^\x07\x1b]*\x1b?|[ -/]*)$/;
/** A code longer than this is not one; it would otherwise hold back all output. */
const LONGEST_CODE = 4096;
const BINARY = /[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ufffd]/g;
/** A program in a terminal asks where the cursor is, and may wait for the answer. */
const CURSOR_QUERY = "\x1b[6n";

export type Printable = {
  /** `end` gives out what was held back. */
  text(bytes: Uint8Array, end?: boolean): string;
};

/** `onCursorQuery` is called once per question; only terminals have one. */
export function openPrintable(onCursorQuery?: () => void): Printable {
  const decoder = new TextDecoder();
  let held = "";
  return {
    text(bytes, end = false) {
      let text = held + decoder.decode(bytes, { stream: !end });
      held = "";
      if (text.includes("\x1b")) {
        if (onCursorQuery && text.includes(CURSOR_QUERY)) onCursorQuery();
        text = text.replace(CODE, "");
        const start = text.indexOf("\x1b");
        const rest = start < 0 ? "" : text.slice(start);
        if (!end && rest && rest.length <= LONGEST_CODE && UNFINISHED.test(rest)) {
          held = rest;
          text = text.slice(0, start);
        }
      }
      if (onCursorQuery) {
        if (!end && !held && text.endsWith("\r")) {
          held = "\r";
          text = text.slice(0, -1);
        }
        text = text.replaceAll("\r\n", "\n");
      }
      return text.replace(BINARY, "");
    },
  };
}

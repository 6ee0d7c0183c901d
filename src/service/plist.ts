/** Property lists of macOS in their XML form: only the kinds of values that a launch agent has. */
import { AppError } from "../base/errors.ts";

export type PlistValue = string | number | boolean | PlistValue[] | { [key: string]: PlistValue };

type Element = { name: string; children: Node[] };
type Node = string | Element;

const HEAD =
  '<?xml version="1.0" encoding="UTF-8"?>\n<!DOCTYPE plist PUBLIC "-//Apple//DTD PLIST 1.0//EN" "http://www.apple.com/DTDs/PropertyList-1.0.dtd">\n';
// What XML cannot hold in any spelling, and line ends, which no path of a service has.
// oxlint-disable-next-line no-control-regex
const CONTROL = /[\u0000-\u001f\u007f\ufffe\uffff]/;

/** Throws usage for a text with control characters. */
export function writePlist(value: PlistValue): string {
  return `${HEAD}<plist version="1.0">\n${write(value, "")}\n</plist>\n`;
}

function write(value: PlistValue, indent: string): string {
  const inner = `${indent}  `;
  if (typeof value === "boolean") return `${indent}<${value ? "true" : "false"}/>`;
  if (typeof value === "number") return `${indent}<integer>${value}</integer>`;
  if (typeof value === "string") return `${indent}<string>${escape(value)}</string>`;
  const lines = Array.isArray(value)
    ? value.map((each) => write(each, inner))
    : Object.entries(value).map(
        ([key, each]) => `${inner}<key>${escape(key)}</key>\n${write(each, inner)}`,
      );
  const kind = Array.isArray(value) ? "array" : "dict";
  return `${indent}<${kind}>\n${lines.join("\n")}\n${indent}</${kind}>`;
}

const ENTITIES: Record<string, string> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
  "'": "&apos;",
};

function escape(text: string): string {
  if (CONTROL.test(text))
    throw new AppError("usage", "A path contains a line end or another control character.", {
      hint: "A service cannot be made with it. Use a folder with an ordinary name.",
    });
  return text.replace(/[&<>"']/g, (c) => ENTITIES[c]!);
}

/** Throws SyntaxError for what is no such list, the binary form included. */
export function readPlist(text: string): PlistValue {
  const root = Bun.XML.parse(text, { compact: false }) as Element;
  const first = elements(root)[0];
  if (root.name !== "plist" || !first) throw new SyntaxError("not a property list");
  return read(first);
}

const elements = ({ children }: Element): Element[] =>
  children.filter((child): child is Element => typeof child === "object" && "children" in child);

function read(element: Element): PlistValue {
  const text = element.children.filter((child) => typeof child === "string").join("");
  const inside = elements(element);
  if (element.name === "true" || element.name === "false") return element.name === "true";
  if (element.name === "integer" || element.name === "real") return Number(text);
  if (element.name === "array") return inside.map(read);
  if (element.name !== "dict") return text;
  const found: Record<string, PlistValue> = {};
  for (let i = 0; i + 1 < inside.length; i += 2) {
    const key = inside[i]!.children.join("");
    if (key !== "__proto__") found[key] = read(inside[i + 1]!);
  }
  return found;
}

import { expect, test } from "bun:test";

import { themeOf } from "../screen/text.ts";
import { matchesOf, Menu } from "./complete.ts";
import { allCommands, helpText, LOCAL, localCommand } from "./local.ts";
import { Picker } from "./picker.ts";

const COMMANDS = [
  { name: "status", doc: "How it is." },
  { name: "think", doc: "Level.", choices: ["off", "low", "high"] },
  { name: "model", doc: "Model.", choices: [] },
];
const plain = themeOf(false);

test("commands that begin with what was typed come first", () => {
  expect(matchesOf("/t", COMMANDS).map(({ insert }) => insert)).toEqual(["/think ", "/status"]);
  expect(matchesOf("/", COMMANDS)).toHaveLength(3);
  expect(matchesOf("/think h", COMMANDS)).toEqual([
    { insert: "/think high", label: "high", doc: "" },
  ]);
  expect(matchesOf("/think high", COMMANDS)).toEqual([]);
  for (const none of ["x /t", "hello", "/nothing", "/status now"])
    expect(matchesOf(none, COMMANDS)).toEqual([]);
});

test("a closed menu stays closed until the text changes", () => {
  const menu = new Menu();
  menu.update("/t", COMMANDS);
  expect(menu.open).toBe(true);
  menu.close("/t");
  menu.update("/t", COMMANDS);
  expect(menu.open).toBe(false);
  menu.update("/th", COMMANDS);
  expect(menu.chosen).toBe("/think ");
});

test("our own commands are known by name, all others are the gateway's", () => {
  expect(localCommand("/session agent:main:x ")).toEqual({
    name: "session",
    rest: "agent:main:x",
  });
  expect(localCommand("/EXIT")).toEqual({ name: "quit", rest: "" });
  expect(localCommand("/model")).toEqual({ name: "model", rest: "" });
  for (const other of ["/model demo/demo", "/new", "session", "/", "//help", "/status"])
    expect(localCommand(other)).toBeUndefined();
  const names = allCommands([...COMMANDS, { name: "help", doc: "Another." }]).map((c) => c.name);
  expect(new Set(names).size).toBe(names.length);
  for (const { name } of LOCAL) expect(helpText(COMMANDS)).toContain(`\`/${name}\``);
});

test("a list is filtered by every word, and the chosen row is always in sight", () => {
  const choices = Array.from({ length: 50 }, (_, i) => ({ value: `v${i}`, label: `row ${i}` }));
  const picker = new Picker("Row", choices, "v40");
  expect(picker.lines(40, 8, plain).rows.join("\n")).toContain("❯ row 40");
  for (let i = 0; i < 12; i++) picker.press("down");
  expect(picker.lines(40, 8, plain).rows.join("\n")).toContain("❯ row 2");
  picker.type("row 4");
  picker.press("down");
  expect(picker.press("enter")).toEqual({ value: "v14", label: "row 14" });
  picker.type("nothing");
  expect(picker.lines(40, 8, plain).rows.join("\n")).toContain("nothing matches");
  expect(picker.press("enter")).toBeUndefined();
  expect(picker.press("escape")).toBe("closed");
});

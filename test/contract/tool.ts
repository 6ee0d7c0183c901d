/** What every tool must hold to: models of all vendors must be able to read its schema, and bad calls must end in an answer. */
import { expect, test } from "bun:test";

import type { SchemaNode } from "../../src/base/schema.ts";
import { type AnyTool, runTool, toolSpec } from "../../src/tools/tool.ts";
import { openBench } from "./tool-context.ts";

/** Keywords that some vendor refuses. */
const REFUSED = ["anyOf", "oneOf", "allOf", "not", "format", "$ref", "$schema", "propertyNames"];

function problemsOf(node: SchemaNode, path: string): string[] {
  const found = REFUSED.filter((keyword) => keyword in node).map((k) => `${path}: ${k}`);
  if (Array.isArray(node.type)) found.push(`${path}: several types`);
  if (!node.type) found.push(`${path}: no type`);
  for (const [key, child] of Object.entries(node.properties ?? {})) {
    if (!child.description) found.push(`${path}.${key}: no description`);
    found.push(...problemsOf(child, `${path}.${key}`));
  }
  if (node.items) found.push(...problemsOf(node.items, `${path}[]`));
  return found;
}

export function toolContract(t: AnyTool): void {
  const { name, description, inputSchema } = toolSpec(t);

  test(`${name}: the schema is a plain object that every vendor takes`, () => {
    expect(inputSchema.type).toBe("object");
    expect(problemsOf(inputSchema, name)).toEqual([]);
  });

  test(`${name}: name, label, summary and description are fit for a model and for people`, () => {
    expect(name).toMatch(/^[a-z][a-z0-9_]{0,63}$/);
    expect(description.length).toBeGreaterThan(20);
    expect(description.length).toBeLessThanOrEqual(1024);
    expect(t.label).toMatch(/^[A-Z]/);
    expect(t.summary).not.toContain("\n");
  });

  test(`${name}: other spellings lead to parameters that exist`, () => {
    const properties = inputSchema.properties ?? {};
    expect(Object.values(t.aliases ?? {}).filter((to) => !(to in properties))).toEqual([]);
    expect(Object.keys(t.aliases ?? {}).filter((from) => from in properties)).toEqual([]);
  });

  test(`${name}: whatever is passed as arguments, the answer is a result`, async () => {
    await using bench = await openBench();
    const required = inputSchema.required ?? [];
    const wrong = [
      undefined,
      null,
      "text",
      42,
      [],
      {},
      Object.fromEntries(required.map((key) => [key, {}])),
      Object.fromEntries(required.map((key) => [key, "\0"])),
      Object.fromEntries(required.map((key) => [key, ""])),
      JSON.parse('{"__proto__":{"path":"x"}}'),
    ];
    for (const args of wrong) {
      const result = await runTool(t, args, bench.ctx);
      expect(result.isError).toBe(true);
      expect(result.text.length).toBeGreaterThan(10);
      expect(result.text.length).toBeLessThan(3000);
    }
  });

  test(`${name}: nothing starts in a run that was stopped`, async () => {
    await using bench = await openBench();
    bench.abort();
    const args = {
      path: "f",
      content: "x",
      oldText: "a",
      newText: "b",
      command: "touch f",
      action: "list",
    };
    const result = await runTool(t, args, bench.ctx);
    expect(result.isError).toBe(true);
    expect(await Bun.file(`${bench.ctx.workspace}/f`).exists()).toBe(false);
  });
}

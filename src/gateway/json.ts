import { AppError, errnoOf } from "../base/errors.ts";

/** Deepest nesting of a frame that is taken. */
export const MAX_DEPTH = 64;
/** Most values in one frame; a long conversation in one parameter is far below. */
export const MAX_NODES = 100_000;

/**
 * JSON from a stranger: bounded in depth and in the number of values, without `__proto__` keys.
 * Throws bad_request with a sentence that does not repeat what was sent.
 */
export function parseJson(text: string): unknown {
  const root = parsed(text);
  let nodes = 0;
  const stack: { value: unknown; depth: number }[] = [{ value: root, depth: 1 }];
  for (let next = stack.pop(); next; next = stack.pop()) {
    if (typeof next.value !== "object" || next.value === null) continue;
    if (next.depth > MAX_DEPTH)
      throw new AppError("bad_request", `The JSON is nested deeper than ${MAX_DEPTH} levels.`);
    if (Object.hasOwn(next.value, "__proto__"))
      delete (next.value as Record<string, unknown>)["__proto__"];
    const children = Object.values(next.value);
    nodes += children.length;
    if (nodes > MAX_NODES)
      throw new AppError("bad_request", `The JSON has more than ${MAX_NODES} values.`);
    for (const value of children)
      if (typeof value === "object") stack.push({ value, depth: next.depth + 1 });
  }
  return root;
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    // SyntaxError, or RangeError of a parser whose stack ran out: both mean "not JSON that anybody honest sends".
    throw new AppError("bad_request", "The text is not valid JSON.", {
      cause,
      details: { errno: errnoOf(cause) },
    });
  }
}

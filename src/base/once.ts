/** What is made with its first use. */

/**
 * A function that gives what `make` gave the first time. For what costs the start of the program milliseconds and is not needed for
 * it: parts of Node (`process.getBuiltinModule`), tables, pools. When `make` throws, the next call tries again.
 */
export function once<T>(make: () => T): () => T {
  let made: { value: T } | undefined;
  return () => (made ??= { value: make() }).value;
}

/** The program's own source files, read once for all rule tests. */
export type SourceFile = { path: string; text: string };

export const files: SourceFile[] = await Promise.all(
  (await Array.fromAsync(new Bun.Glob("{src,web}/**/*.{ts,tsx,css}").scan(".")))
    .sort()
    .map(async (path) => ({ path, text: await Bun.file(path).text() })),
);
/** Without unit tests and style sheets. */
export const source = files.filter((f) => !f.path.includes(".test.") && !f.path.endsWith(".css"));

/** Writes a whole file. */
import { z } from "zod";

import { replaceFile } from "./files.ts";
import { placeFor } from "./place.ts";
import { tool } from "./tool.ts";

export const write = tool({
  name: "write",
  label: "Write file",
  summary: "Create or overwrite a file",
  description: "Write a file, replacing what was there. Parent directories are made.",
  input: z.object({
    path: z.string().describe("File"),
    content: z.string().describe("Whole content"),
  }),
  aliases: { file_path: "path", filePath: "path", text: "content" },
  async run({ path, content }, ctx) {
    const place = await placeFor(path, "write", ctx);
    const bytes = new TextEncoder().encode(content);
    await replaceFile(place, bytes, ctx);
    return {
      text: `Wrote ${bytes.length} bytes to ${place.path}.`,
      details: { path: place.path, bytes: bytes.length },
    };
  },
});

/** Every tool, in the order in which a model sees them. A new tool is a file and a line here. */
import { edit } from "./edit.ts";
import { exec } from "./exec.ts";
import { message } from "./message.ts";
import { processTool } from "./process.ts";
import { read } from "./read.ts";
import type { AnyTool } from "./tool.ts";
import { write } from "./write.ts";

export const TOOLS: AnyTool[] = [read, write, edit, exec, processTool, message];

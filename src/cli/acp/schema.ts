/** What an editor may ask for in the Agent Client Protocol, version 1, and what a prompt is made of. */
import { isAbsolute } from "node:path";

import { z } from "zod";

export const PROTOCOL_VERSION = 1;

/** Longest session id: our session keys. */
const SessionId = z.string().min(1).max(512);
const Cwd = z
  .string()
  .max(4096)
  .refine((path) => isAbsolute(path), "cwd must be an absolute path");
const Meta = z
  .looseObject({
    sessionKey: z.string().max(512).optional(),
    sessionLabel: z.string().max(64).optional(),
    requireExisting: z.boolean().optional(),
    resetSession: z.boolean().optional(),
    prefixCwd: z.boolean().optional(),
  })
  .nullish();
export type Meta = z.output<typeof Meta>;

export const Initialize = z.looseObject({
  protocolVersion: z.int().min(0).max(65_535),
  clientCapabilities: z.looseObject({}).nullish(),
});
export const Authenticate = z.looseObject({ methodId: z.string() });
const Place = { cwd: Cwd, mcpServers: z.array(z.looseObject({ name: z.string() })), _meta: Meta };
export const NewSession = z.looseObject(Place);
export const LoadSession = z.looseObject({ sessionId: SessionId, ...Place });
export const SetMode = z.looseObject({ sessionId: SessionId, modeId: z.string().max(64) });
export const Cancel = z.looseObject({ sessionId: SessionId });

const Resource = z.looseObject({
  uri: z.string(),
  mimeType: z.string().nullish(),
  text: z.string().optional(),
  blob: z.string().optional(),
});
const Block = z.discriminatedUnion("type", [
  z.looseObject({ type: z.literal("text"), text: z.string() }),
  z.looseObject({ type: z.literal("image"), data: z.string(), mimeType: z.string() }),
  z.looseObject({
    type: z.literal("resource_link"),
    uri: z.string(),
    name: z.string().nullish(),
    title: z.string().nullish(),
  }),
  z.looseObject({ type: z.literal("resource"), resource: Resource }),
]);
export type Block = z.output<typeof Block>;
export const Prompt = z.looseObject({ sessionId: SessionId, prompt: z.array(Block).max(1000) });

export type Attachment = { type: "image"; mimeType: string; content: string };

/** A prompt as a message: text in the order of its blocks, pictures beside it. */
export function messageOf(blocks: readonly Block[]): { text: string; attachments: Attachment[] } {
  const attachments: Attachment[] = [];
  const picture = (mimeType: string, content: string) =>
    void attachments.push({ type: "image", mimeType, content });
  const texts = blocks.map((block) => {
    if (block.type === "text") return block.text;
    if (block.type === "image") return picture(block.mimeType, block.data);
    if (block.type === "resource_link")
      return `[${block.title ?? block.name ?? "Resource"}: ${block.uri}]`;
    const { uri, mimeType, text, blob } = block.resource;
    if (text !== undefined) return `[${uri}]\n${fenced(text)}`;
    if (blob !== undefined && mimeType?.startsWith("image/")) return picture(mimeType, blob);
    return `[${uri}]`;
  });
  return { text: texts.filter((text) => text?.trim()).join("\n\n"), attachments };
}

/** A fence that the text cannot close. */
function fenced(text: string): string {
  const longest = [...text.matchAll(/`+/g)].reduce(
    (most, [ticks]) => Math.max(most, ticks.length),
    2,
  );
  const fence = "`".repeat(longest + 1);
  return `${fence}\n${text}\n${fence}`;
}

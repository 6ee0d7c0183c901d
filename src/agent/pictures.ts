/**
 * Pictures that a model refuses: a refused picture stays in the transcript, and the provider would refuse every later request of
 * the session for it. So the history is sent once more without its pictures, and from then on they stay away from the model.
 */
import type { AppError } from "../base/errors.ts";
import type { Block, Message } from "../flow.ts";
import type { Entry } from "../store/store.ts";

/** For people, in the conversation. */
export const REFUSED_NOTE = "The model refused a picture; it was left out.";
/** For the model, in place of each. */
const IN_PLACE = "[An image was left out: the model refused it.]";

/** True for messages that show the model at least one picture. */
export const hasImages = (messages: readonly Message[]): boolean =>
  messages.some(({ blocks }) =>
    blocks.some(
      (block) =>
        block.type === "image" || (block.type === "tool_result" && Boolean(block.images?.length)),
    ),
  );

/**
 * Whether a request that had pictures may be taken without them. Vendors word it in many ways, so any refusal of the request
 * itself counts (400, 413, 422), and of the others those that speak of an image.
 */
export function mayBePictures({ code, details }: AppError): boolean {
  if (code === "provider_context") return true;
  if (code !== "provider_rejected") return false;
  const { status, image } = (details ?? {}) as { status?: number; image?: boolean };
  return image === true || status === 400 || status === 413 || status === 422;
}

/** The entries up to `seq` with a line of text in place of each picture; later entries as they are. */
export const withoutImages = (entries: Entry[], seq: number): Entry[] =>
  entries.map((entry) => {
    const { body } = entry;
    if (entry.seq > seq || body.kind !== "message" || !hasImages([body.message])) return entry;
    const blocks = body.message.blocks.map(withoutImage);
    return { ...entry, body: { ...body, message: { ...body.message, blocks } } };
  });

function withoutImage(block: Block): Block {
  if (block.type === "image") return { type: "text", text: IN_PLACE };
  if (block.type !== "tool_result" || !block.images?.length) return block;
  const { images: _, ...rest } = block;
  return { ...rest, text: [rest.text, IN_PLACE].filter(Boolean).join("\n") };
}

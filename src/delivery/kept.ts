/** Which message shows a run's answer while it is written: kept in the store until the answer stands in its place. */
import type { Address } from "../flow.ts";
import type { Store } from "../store/store.ts";

/** Scope in `store.kv`; the key is the run's id. */
export const PREVIEWS = "previews";
export type KeptPreview = { to: Address; id: string };

/** As `edits` of a row: in the place of its run's preview, whose id is looked up when the row is sent. Without one it is sent anew. */
export const IN_PREVIEW = "the preview";

/** The id of the message that a row replaces. */
export async function editsOf(
  row: { edits?: string; runId?: string },
  kv: Store["kv"],
): Promise<string | undefined> {
  if (row.edits !== IN_PREVIEW) return row.edits;
  return row.runId === undefined ? undefined : (await kv.get<KeptPreview>(PREVIEWS, row.runId))?.id;
}

/** Finds the model that a roughly typed name means (`/model sonnet 4.5`). */
import { nearest } from "../base/nearest.ts";
import type { ModelInfo } from "./provider.ts";

const norm = (text: string): string => text.toLowerCase().replace(/[\s._:]+/g, "-");
/** The numbers in a name: another number is another model, not a slip of the finger. */
const numbers = (text: string): string => text.replace(/\D+/g, " ").trim();

/** The one model that fits best, or undefined when none does or several do equally well. */
export function matchModel(text: string, models: ModelInfo[]): ModelInfo | undefined {
  const wanted = norm(text.trim());
  if (!wanted) return undefined;
  const scored = models
    .map((model) => ({ model, score: score(wanted, model) }))
    .filter((s) => s.score > 0)
    .sort((a, b) => b.score - a.score);
  const [first, second] = scored;
  if (first) return first.score > (second?.score ?? 0) ? first.model : undefined;
  const ids = models.map((m) => norm(m.id)).filter((id) => numbers(id) === numbers(wanted));
  const close = nearest(wanted, ids);
  return close === undefined ? undefined : models.find((m) => norm(m.id) === close);
}

/** Higher is better, 0 does not fit: the exact name, else all words contained (the shorter the id the better). */
function score(wanted: string, model: ModelInfo): number {
  const id = norm(model.id);
  const names = [id, norm(model.name), norm(model.ref)];
  if (names.includes(wanted)) return 1000;
  const words = wanted.split(/[-/]/).filter(Boolean);
  const fits = words.every((word) => names.some((name) => name.includes(word)));
  return fits ? 500 - Math.min(400, id.length - wanted.length) : 0;
}

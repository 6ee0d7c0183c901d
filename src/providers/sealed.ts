/**
 * Thinking that only its own vendor and model can read again (signatures, encrypted reasoning) travels in the transcript as
 * `<dialect>/<model>:<data>`, so that no other vendor is ever sent it: platforms answer 400 to a foreign signature.
 */
export type Seal = { dialect: string; model: string; data: string };

export const seal = ({ dialect, model, data }: Seal): string =>
  `${dialect}/${model.replaceAll("%", "%25").replaceAll(":", "%3A")}:${data}`;

/** Undefined for anything that this program did not seal. */
export function unseal(signature: string | undefined): Seal | undefined {
  const match = /^([a-z-]+)\/([^:]*):([\s\S]*)$/.exec(signature ?? "");
  if (!match) return undefined;
  const model = match[2]!.replaceAll("%3A", ":").replaceAll("%25", "%");
  return { dialect: match[1]!, model, data: match[3]! };
}

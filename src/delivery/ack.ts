/** The reaction by which a person sees that a message was seen. */

const EYES = "👀";

/** The first that says anything: the channel's, `messages.ackReaction`, the agent's own emoji, else 👀. Undefined: none is wanted. */
export function ackEmoji(...choices: (string | undefined)[]): string | undefined {
  const chosen = choices.find((choice) => choice !== undefined) ?? EYES;
  return chosen.trim() || undefined;
}

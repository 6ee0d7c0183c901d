/** What a person in a chat is told when a turn failed: a sentence and what to do, never a stack, a path or a provider's own words. */
import { type AppError, type ErrorCode, ERRORS } from "../base/errors.ts";

const SENTENCES: Partial<Record<ErrorCode, string>> = {
  provider_auth: "I could not answer: the model's provider refused the key.",
  provider_billing: "I could not answer: the account at the model's provider has no credit.",
  provider_rate_limit: "I could not answer: the model's provider takes no more requests for now.",
  provider_overloaded: "I could not answer: the model's provider is overloaded.",
  provider_context: "I could not answer: this conversation is too long for the model.",
  provider_timeout: "I could not answer: the model's provider did not answer.",
  provider_rejected: "I could not answer: the model's provider rejected the request.",
  agent_timeout: "This took too long, so I stopped.",
  agent_stuck: "I was going round in circles, so I stopped.",
  workspace_failed: "I could not answer: my workspace cannot be used.",
  config_invalid: "I could not answer: my configuration has a mistake.",
  disk_full: "I could not answer: the disk of my machine is full.",
  store_failed: "I could not answer: my database cannot be used.",
  busy: "I am too busy to answer now.",
  gateway_unreachable: "I could not answer: a part of me is not running.",
};
/** Hints of the place that failed may name files and addresses; these codes have one of their own that does not. */
const HINTS: Partial<Record<ErrorCode, string>> = {
  provider_auth: ERRORS.provider_auth.hint.replace("The provider refused the key. ", ""),
  provider_billing: "Top it up, or add a fallback model.",
  provider_rate_limit: "Wait a moment, then send it again.",
  provider_overloaded: "Send it again in a moment, or add a fallback model.",
  provider_context: "Start a new one with /new.",
  provider_timeout: "Send it again; if it stays so, check the network and the provider's address.",
  agent_timeout: "Send `continue` to let me go on.",
  agent_stuck: ERRORS.agent_stuck.hint,
  disk_full: "Free some space, then send it again.",
  busy: "Send it again in a moment.",
};
const FALLBACK = {
  sentence: "Something went wrong, and I could not answer.",
  hint: "Send it again; if it happens again, `clawdbot logs` shows why.",
};

/** One line. The technical side is in the transcript and in the log. */
export function failureText(error: AppError | undefined): string {
  const sentence = (error && SENTENCES[error.code]) ?? FALLBACK.sentence;
  const hint = (error && HINTS[error.code]) ?? FALLBACK.hint;
  return `⚠️ ${sentence} ${hint}`;
}

/** Words between the model and the program that users' prompts and skills name too, so they are facts of the original. */

/** The model answers with exactly this to say nothing. */
export const SILENT_REPLY = "NO_REPLY";

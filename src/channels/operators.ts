/**
 * The channel of signed-in clients: the Control UI, the terminal, apps. They read the transcript itself, so an answer that is stored
 * has arrived. In a file of its own for those who only need the name.
 */
export const OPERATOR_CHANNEL = "webchat";

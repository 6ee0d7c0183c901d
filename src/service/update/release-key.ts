/**
 * The public half of the key that signs releases, as install.sh carries it: base64 of its SPKI form. The build of a release puts it in
 * (`build.ts --release-key`), so that no file and no variable of the machine it runs on can name another one.
 */
declare const CLAWDBOT_RELEASE_KEY: string | undefined;

/** Undefined in a program that somebody built for themselves: it cannot tell whose files these are, so it does not update itself. */
export const RELEASE_KEY: string | undefined =
  typeof CLAWDBOT_RELEASE_KEY === "string" && CLAWDBOT_RELEASE_KEY !== ""
    ? CLAWDBOT_RELEASE_KEY
    : undefined;

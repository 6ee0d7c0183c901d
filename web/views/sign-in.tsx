/** What stands in front of the page until the gateway lets it in, and when it no longer does. */
import { useEffect, useRef, useState } from "preact/hooks";

import {
  connection,
  linkFailed,
  obstacle,
  retryAt,
  retryNow,
  signIn,
  socketBlocked,
} from "../connection.ts";
import { keep } from "../keep.ts";
import { Icon, Mark } from "../parts/icons.tsx";
import { CodeBlock } from "../parts/markdown.tsx";
import { Status, useNow } from "../parts/status.tsx";
import { duration, strings } from "../strings.ts";

type Words = { title: string; text: string } | undefined;

function useWords(triedHere: boolean): Words {
  const found = obstacle.value;
  const now = useNow(found?.kind === "locked");
  const left = Math.max(0, (retryAt.value ?? now) - now);
  switch (found?.kind) {
    case "wrong":
      return triedHere || !keep.secret()
        ? { title: strings.wrongSecret, text: strings.wrongSecretText }
        : { title: strings.savedSecretWrong, text: strings.savedSecretWrongText };
    case "locked":
      return {
        title: strings.lockedOut,
        text: strings.lockedOutText(duration(Math.max(1000, left))),
      };
    case "pairing":
      return { title: strings.pairing, text: strings.pairingText };
    case "refused":
      return { title: strings.refused, text: found.error.message };
    case "unreachable":
      return socketBlocked.value
        ? { title: strings.socketBlocked, text: strings.socketBlockedText }
        : { title: strings.unreachable, text: strings.unreachableText };
    default:
      return linkFailed.value
        ? { title: strings.linkFailed, text: strings.linkFailedText }
        : undefined;
  }
}

export default function SignIn() {
  const [secret, setSecret] = useState("");
  const [shown, setShown] = useState(false);
  const [remember, setRemember] = useState(true);
  const [tried, setTried] = useState(false);
  const field = useRef<HTMLInputElement>(null);
  useEffect(() => {
    document.title = `${strings.signInTitle} · ${strings.product}`;
    field.current?.focus();
  }, []);
  const words = useWords(tried);
  const kind = obstacle.value?.kind;
  const busy = connection.value.kind === "connecting";
  useEffect(() => {
    // Ready to be typed over.
    if (kind === "wrong") field.current?.select();
  }, [kind]);
  const noForm = kind === "unreachable" || kind === "pairing";
  return (
    <main class="door" id="main">
      <div class="door-card">
        <Mark />
        <h1>{noForm ? strings.product : strings.signInTitle}</h1>
        {!noForm && <p class="muted">{strings.signInText}</p>}
        {words && !(busy && tried) && (
          <div class="problem" role="alert">
            <Icon name="warn" />
            <div>
              <strong>{words.title}</strong>
              <p>{words.text}</p>
            </div>
          </div>
        )}
        {noForm ? (
          kind === "pairing" ? (
            <button type="button" class="button" onClick={retryNow}>
              {strings.tryNow}
            </button>
          ) : (
            <Status />
          )
        ) : (
          <form
            class="form"
            onSubmit={(event) => {
              event.preventDefault();
              if (!secret.trim()) return field.current?.focus();
              setTried(true);
              signIn(secret.trim(), remember);
            }}
          >
            <label>
              {strings.secret}
              <span class="with-button">
                <input
                  ref={field}
                  type={(shown ? "text" : "password") as "password"}
                  autocomplete="current-password"
                  spellcheck={false}
                  autocapitalize="off"
                  value={secret}
                  aria-invalid={kind === "wrong"}
                  onInput={(event) => setSecret(event.currentTarget.value)}
                />
                <button
                  type="button"
                  class="link"
                  aria-pressed={shown}
                  onClick={() => setShown(!shown)}
                >
                  {shown ? strings.hide : strings.show}
                </button>
              </span>
            </label>
            <label class="check">
              <input
                type="checkbox"
                checked={remember}
                onChange={(event) => setRemember(event.currentTarget.checked)}
              />
              {strings.remember}
            </label>
            <button type="submit" class="button primary wide" disabled={busy || kind === "locked"}>
              {busy ? strings.signingIn : strings.signIn}
            </button>
          </form>
        )}
        {!noForm && (
          <details class="door-help">
            <summary>{strings.whereIsToken}</summary>
            <p>{strings.whereIsTokenText}</p>
            <CodeBlock text={strings.tokenCommand} lang="sh" />
            <p>{strings.fromSource}</p>
            <p>{strings.orLink}</p>
          </details>
        )}
      </div>
    </main>
  );
}

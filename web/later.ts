/** Everything that lazy.tsx fetches after the first paint, in one file of its own. */
// @ts-expect-error Bun's types know no style sheets as texts.
import channels from "./styles/channels.css" with { type: "text" };
// @ts-expect-error as above
import later from "./styles/later.css" with { type: "text" };
// @ts-expect-error as above
import messages from "./styles/messages.css" with { type: "text" };
// @ts-expect-error as above
import setUp from "./styles/set-up.css" with { type: "text" };

export { ModelHelp } from "./parts/model-help.tsx";
export { NixHelp } from "./parts/nix-help.tsx";
export { SetUp } from "./set-up/dialog.tsx";
export { default as Channels } from "./views/channels.tsx";
export { default as Messages } from "./views/messages.tsx";
export { default as Missing } from "./views/missing.tsx";
export { default as Sessions } from "./views/sessions.tsx";
export { default as System } from "./views/system.tsx";

// A page's own sheets would all be part of the first one.
for (const text of [later, channels, messages, setUp]) {
  const sheet = new CSSStyleSheet();
  sheet.replaceSync(text as string);
  document.adoptedStyleSheets.push(sheet);
}

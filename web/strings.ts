/**
 * Every text of the page, ready for translation: here what the chat and the frame say, in strings/ what the pages say that come
 * after the first paint. Functions where a number or a name goes in.
 */
export const strings = {
  product: "clawdbot",

  // Navigation
  mainNavigation: "Main",
  skip: "Skip to content",
  chat: "Chat",
  sessions: "Conversations",
  channels: "Channels",
  messages: "Messages",
  system: "System",
  newConversation: "New conversation",
  mainConversation: "Main conversation",
  recent: "Recent",
  commands: "Commands",
  missingTitle: "There is nothing here",
  missingText: "This address belongs to no page. It may come from another version.",
  backToChat: "Go to the chat",
  partMissing: "This page could not be loaded",
  partMissingText:
    "The gateway is away, or it was updated while this page was open. Your drafts and unsent messages are kept.",
  reload: "Load it again",
  peopleWait: (count: number) =>
    count === 1 ? "one person waits for approval" : `${count} people wait for approval`,
  /** Words for where a conversation is. A network that is not here is shown by its id. */
  channelNames: {
    telegram: "Telegram",
    whatsapp: "WhatsApp",
    discord: "Discord",
    webchat: "Web",
  } as Readonly<Record<string, string>>,

  // Connection
  connected: "Connected",
  connecting: "Connecting",
  offline: "Offline",
  restarting: "The gateway restarts",
  reconnectingIn: (seconds: number) =>
    seconds > 0 ? `Reconnecting in ${seconds} s` : "Reconnecting",
  tryNow: "Try now",
  status: "Status",
  loading: "Loading",

  // Sign-in
  signInTitle: "Sign in",
  signInText: "This gateway asks for its token or password.",
  secret: "Token or password",
  show: "Show",
  hide: "Hide",
  remember: "Stay signed in on this device",
  signIn: "Sign in",
  signingIn: "Signing in",
  signOut: "Sign out",
  wrongSecret: "That token is not right",
  wrongSecretText: "Copy the whole token again, without spaces before or after it.",
  savedSecretWrong: "The saved token is no longer valid",
  savedSecretWrongText: "It was changed on the gateway. Sign in with the new one.",
  linkFailed: "This sign-in link does not work any more",
  linkFailedText:
    "A link works once and for ten minutes. Use the token, or make a new link with `clawdbot dashboard`.",
  lockedOut: "Too many attempts",
  lockedOutText: (left: string) => `Signing in from here is possible again in ${left}.`,
  unreachable: "The gateway does not answer",
  unreachableText: "It may be stopped or restarting. This page goes on as soon as it is back.",
  socketBlocked: "The live connection does not come through",
  socketBlockedText:
    "The page loads, but its WebSocket does not. A proxy in between must pass WebSockets on, and a name of your own must be in gateway.controlUi.allowedOrigins.",
  refused: "The gateway refused this page",
  pairing: "Waiting for approval",
  pairingText: "This browser must be approved once, from a device that is already signed in.",
  whereIsToken: "Where do I find it?",
  whereIsTokenText: "On the machine that runs the gateway, this prints a link that signs you in:",
  tokenCommand: "clawdbot dashboard",
  fromSource:
    "Run from the source with npx? Write `npx -y bun@1.4.4 src/main.ts` in place of `clawdbot`.",
  orLink:
    "The token itself is the one you chose (gateway.auth.token), or the one that the gateway made at its first start: the file gateway-token in its state directory, ~/.clawdbot.",

  // Chat
  conversation: "Conversation",
  you: "You",
  assistant: "Assistant",
  message: "Message",
  messagePlaceholder: "Ask anything",
  send: "Send",
  stop: "Stop",
  attach: "Attach an image",
  removeImage: (name: string) => `Remove ${name}`,
  imageTooLarge: (name: string) => `${name} is larger than 5 MB.`,
  imageKind: (name: string) =>
    `${name} is not a picture that can be sent. PNG, JPEG, GIF and WebP can.`,
  readingImage: "The picture is being read",
  textTooLong: (length: number) =>
    `This text has ${length.toLocaleString()} characters; one message takes 1,000,000. Send it in parts.`,
  messageTooLarge: (size: string, most: string) =>
    `Text and pictures are ${size} together; one message takes ${most}. Remove a picture.`,
  tooManyImages: "At most eight images go into one message.",
  attachedImage: "Attached image",
  dropImage: "Drop the image here",
  emptyTitle: "What can I do for you?",
  starters: ["What can you do?", "List the files here", "Read AGENTS.md"],
  demoBanner: "This is the demo model: built in, offline, not an AI.",
  addModel: "Add a model",
  newMessages: "New messages",
  toNewest: "Go to the newest message",
  loadingOlder: "Loading earlier messages",
  beginning: "The beginning of this conversation",
  historyFailed: "The conversation could not be loaded",
  tryAgain: "Try again",
  waitingForConnection: "Waits for the connection, then goes out by itself",
  willBeRead: "Waits: it is read after the current step",
  notKept: "Too large to survive a reload of this page",
  notSentYet: (message: string) => `Not sent yet: ${message}`,
  stopped: "Stopped",
  stoppedUnread: "Stopped before it was read",
  sendAgain: "Send again",
  discard: "Discard",
  working: "Working",
  answerPaused: "Goes on when the connection is back",
  thinking: "Thinking",
  thought: "Thoughts",
  copy: "Copy",
  copied: "Copied",
  copyFailed: "The browser did not allow copying",
  copyCode: "Copy code",
  copyAnswer: "Copy answer",
  copyLink: "Copy a link to this",
  copyDetails: "Copy details",
  code: "Code",
  showRest: (size: string) => `Show the rest (${size})`,
  imageLink: (text: string) => (text ? `Image: ${text}` : "Image"),
  taskDone: "done",
  taskOpen: "open",
  table: "Table",

  // Tools
  tool: "Tool",
  toolRunning: "running",
  toolFailed: "failed",
  toolStopped: "stopped",
  toolNoResult: "no result",
  toolArguments: "Input",
  toolResult: "Result",
  toolEmpty: "No output",

  // Commands of the message box
  slashCommands: "Commands",
  slashNew: "Start this conversation again",
  slashStop: "Stop the answer",

  // Conversations
  sessionsTitle: "Conversations",
  search: "Search",
  searchConversations: "Search conversations",
  noSessions: "No conversation yet",
  noSessionsText: "The first message begins one.",
  nothingFound: "No conversation has this in its name",
  loadMore: "Show more",
  rename: "Rename",
  renameTitle: "Rename the conversation",
  name: "Name",
  nameHint: "Empty: the name is taken from the first message.",
  save: "Save",
  cancel: "Cancel",
  close: "Close",
  startAgain: "Start again",
  remove: "Delete",
  resetDone: "The conversation starts again. Its messages are removed from this page.",
  deleteDone: "The conversation is deleted.",
  undo: "Undo",
  undone: "Undone",
  never: "never",

  // Models
  model: "Model",
  defaultModel: (ref: string) => `${ref} (default)`,

  // Nix mode
  nixTitle: "The config is made by Nix",
  nixBar: "Read-only: Nix makes the config of this gateway.",
  nixHow: "How to change it",

  // Themes
  themeSystem: "System",
  themeLight: "Light",
  themeDark: "Dark",

  // Palette
  paletteTitle: "Commands",
  palettePlaceholder: "Type a command or the name of a conversation",
  paletteEmpty: "Nothing matches",
  goTo: (place: string) => `Go to ${place}`,
  themeTo: (name: string) => `Theme: ${name}`,
} as const;

/** The word for a network, or its id where there is none. */
export const nameOfChannel = (id: string): string =>
  Object.hasOwn(strings.channelNames, id) ? strings.channelNames[id]! : id;

const day = 86_400_000;
const clock = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit" });
const date = new Intl.DateTimeFormat(undefined, { day: "numeric", month: "short" });
const full = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "short" });
const relative = new Intl.RelativeTimeFormat(undefined, { numeric: "auto", style: "narrow" });

/** Short for lists: `now`, `5 min. ago`, `yesterday`, `3 Mar`. */
export function ago(at: number, now: number): string {
  const ms = Math.max(0, now - at);
  if (ms < 60_000) return relative.format(0, "second");
  if (ms < 3_600_000) return relative.format(-Math.floor(ms / 60_000), "minute");
  if (ms < day) return relative.format(-Math.floor(ms / 3_600_000), "hour");
  if (ms < 7 * day) return relative.format(-Math.floor(ms / day), "day");
  return date.format(at);
}
export const timeOf = (at: number): string => clock.format(at);
export const fullTime = (at: number): string => full.format(at);

/** `0.4 s`, `12 s`, `3 min 5 s`. */
export function duration(ms: number): string {
  if (ms < 950) return `${Math.max(1, Math.round(ms))} ms`;
  if (ms < 9_950) return `${(ms / 1000).toFixed(1)} s`;
  const seconds = Math.round(ms / 1000);
  if (seconds < 60) return `${seconds} s`;
  return seconds < 3600
    ? `${Math.floor(seconds / 60)} min ${seconds % 60} s`
    : `${Math.floor(seconds / 3600)} h ${Math.floor((seconds % 3600) / 60)} min`;
}

/** `840 B`, `12 KB`, `1.3 MB`. */
export function sizeOf(bytes: number): string {
  if (bytes < 1000) return `${bytes} B`;
  return bytes < 1_000_000
    ? `${Math.round(bytes / 1000)} KB`
    : `${(bytes / 1_000_000).toFixed(1)} MB`;
}

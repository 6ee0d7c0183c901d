/** Texts of the page "Channels". */
/** How a network is added; `docs` is a page of the documentation. */
export type Setup = { steps: { text: string; command?: string }[]; docs: string };

export const channelWords = {
  title: "Channels",
  loadFailed: "The channels could not be asked",
  lostTouch: "The connection to the gateway is lost; this is what was known before.",

  // States
  connected: "Connected",
  connectedAs: (who: string) => `Connected as ${who}`,
  silent: (long: string) => `Connected, but nothing was heard for ${long}`,
  connecting: "Connecting",
  tryingAgain: (tries: number) => `Not connected, attempt ${tries}`,
  notLinked: "Not linked",
  misconfigured: "Needs a setting",
  off: "Switched off",
  stopped: "Not running",
  notLinkedText: "Link it with a phone; then it listens.",
  loggedOutText: "The phone has logged it out. Link it again.",
  offText: (setting: string) => `Set ${setting} to true to switch it on.`,
  noReason: "It gave no reason. The log on the page System may have one.",

  // Facts
  lastEvent: "Last sign of life",
  lastInbound: "Last message in",
  lastOutbound: "Last message out",
  roundTrip: "Round trip",
  notMeasured: "not measured",
  reconnects: "Reconnect attempts",
  lastDisconnect: "Last disconnect",
  strangers: "Strangers",
  policies: {
    pairing: "get a code and wait for you",
    allowlist: "are not answered",
    open: "are answered, all of them",
    disabled: "no direct messages at all",
  } as Readonly<Record<string, string>>,
  never: "never",

  // Actions
  probe: "Test the connection",
  probing: "Testing",
  probeGood: (name: string, ms: string) => `${name}: the platform answered in ${ms}.`,
  probeBad: (name: string, why: string) => `${name}: the test failed. ${why}`,
  probeNone: (name: string) => `${name} is not running, so there is nothing to test.`,
  link: "Link a phone",
  logOut: "Log out",
  fix: "In a terminal",

  // Adding
  addTitle: "Add a channel",
  howToAdd: (name: string) => `How to add ${name}`,
  docs: "In the documentation:",
  setup: {
    telegram: {
      steps: [
        { text: "In Telegram, write to @BotFather and send /newbot." },
        { text: "Choose a name, and a user name that ends in “bot”. It answers with a token." },
        {
          text: "Run this where the gateway runs, with that token:",
          command: "clawdbot channels add --channel telegram --token <token>",
        },
        { text: "Send your bot a message, and approve yourself below." },
      ],
      docs: "docs/channels/telegram.md",
    },
    whatsapp: {
      steps: [
        {
          text: "A phone number of its own for the assistant is best; your own number works too.",
        },
        {
          text: "Run this where the gateway runs:",
          command: "clawdbot channels add --channel whatsapp",
        },
        { text: "Press “Link a phone” on the card that appears here." },
      ],
      docs: "docs/channels/whatsapp.md",
    },
    discord: {
      steps: [
        {
          text: "At discord.com/developers/applications make an application and its bot. Copy the bot's token.",
        },
        { text: "On the page “Bot” switch on “Message Content Intent”." },
        {
          text: "On the page “OAuth2” make an invitation with the scopes bot and applications.commands, and open it to invite the bot to your server.",
        },
        {
          text: "Run this where the gateway runs, with that token:",
          command: "clawdbot channels add --channel discord --token <token>",
        },
      ],
      docs: "docs/channels/discord.md",
    },
  } as Readonly<Record<string, Setup>>,
  setupOf: (id: string): Setup => ({
    steps: [
      {
        text: "Run this where the gateway runs:",
        command: `clawdbot channels add --channel ${id}`,
      },
    ],
    docs: `docs/channels/${id}.md`,
  }),

  // Linking
  linkTitle: (name: string) => `Link ${name}`,
  linkSteps: [
    "Open WhatsApp on the phone.",
    "Settings, then “Linked devices”, then “Link a device”.",
    "Point the camera at this picture.",
  ],
  codeSteps: [
    "Open WhatsApp on the phone.",
    "Settings, “Linked devices”, “Link a device”, then “Link with phone number instead”.",
    "Type this code:",
  ],
  qrAlt: "The picture to scan with the phone",
  qrChanges: "It changes every minute. Leave this open until the phone is linked.",
  preparing: "Asking the platform for a picture",
  preparingCode: "Asking the platform for a code",
  withPhone: "Link with the phone number instead",
  withPicture: "Scan a picture instead",
  phone: "Phone number",
  phoneHint: "International, as +15551234567: the number of the phone that is linked.",
  getCode: "Get a code",
  linked: "Linked",
  linkedText: "The phone is linked. Messages arrive from now on.",
  linkFailed: "It was not linked",
  linkExpired: "The time is over: a picture or a code is good for three minutes.",
  linkLost: "The connection to the gateway was lost meanwhile.",
  startOver: "Start again",
  copyCode: "Copy the code",

  // Logging out
  logOutTitle: (name: string) => `Log out of ${name}?`,
  logOutText:
    "The phone forgets this device, and its keys are removed here. Conversations stay. To come back it has to be linked again.",
  loggedOut: (name: string) => `${name} is logged out.`,
  wasNotLinked: (name: string) => `${name} was not linked.`,

  // People
  waitingTitle: "Waiting for your approval",
  nobodyWaits: "Nobody waits: a stranger who writes gets a code and appears here.",
  peopleFailed: "The list of people could not be loaded",
  nameless: "Without a name",
  /** Names are chosen by strangers. */
  nameWarning: "Names are chosen by the people themselves. The id is what counts.",
  asked: (when: string) => `asked ${when}`,
  code: "Code",
  approve: "Approve",
  dismiss: "Dismiss",
  approved: (name: string) => `${name} may write to the assistant now, and is told so.`,
  dismissed: (name: string) => `The request of ${name} is dismissed.`,
  allowedTitle: "People who were let in",
  allowedText: "Those in the lists of the config (allowFrom) are not here.",
  nobodyAllowed: "Nobody has been let in from here yet.",
  letIn: (when: string) => `let in ${when}`,
  remove: "Remove",
  removeTitle: (name: string) => `Remove ${name}?`,
  removeText:
    "They can no longer write to the assistant. This cannot be undone here: they have to write again, get a new code, and be approved anew.",
  removed: (name: string) => `${name} is removed.`,
} as const;

/** What is true of a running account, from evidence only: the last event, the last confirmed send, a round trip. */
export type ChannelStatus = {
  running: boolean;
  /** The platform has answered and nothing has contradicted it since. */
  connected: boolean;
  /** Signed in; for channels that are linked and have no token. */
  linked?: boolean;
  mode?: "polling" | "webhook" | "socket";
  /** Who we are there. */
  self?: { id: string; name?: string; handle?: string };
  lastStartAt?: number;
  lastStopAt?: number;
  lastConnectedAt?: number;
  /** Anything that the platform sent, a heartbeat's answer included. */
  lastEventAt?: number;
  lastInboundAt?: number;
  /** The platform confirmed it with an id. */
  lastOutboundAt?: number;
  lastDisconnect?: { at: number; status?: number; error?: string; loggedOut?: boolean };
  /** What a person has to know, with the setting to fix; absent when all is well. */
  lastError?: string;
  reconnectAttempts: number;
  /** Of the last heartbeat or probe. */
  roundTripMs?: number;
};

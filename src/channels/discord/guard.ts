/**
 * A fence around the library's socket: nothing that goes wrong inside may become an uncaught error of the process, and it may not
 * connect as often as it likes. The methods that are wrapped are private ones of `@discordjs/ws` 1.2; a test sees that they exist.
 */
import { type ClientOptions, SimpleShardingStrategy } from "discord.js";

type Manager = Parameters<NonNullable<NonNullable<ClientOptions["ws"]>["buildStrategy"]>>[0];
type Method = (...args: unknown[]) => unknown;

/** A packet of the platform with an event in it. */
export type Dispatch = { t: string; s: number; d: unknown };

export type Hooks = {
  /** Resolves when a connection may be opened; false: never again. */
  mayConnect(): Promise<boolean>;
  hello(): void;
  dispatch(packet: Dispatch): void;
  /** A heartbeat was answered; epoch ms and ms. */
  ack(at: { heartbeatAt: number; latency: number }): void;
  /** The socket was closed, by whomever. */
  closed(code: number): void;
  /** Something broke inside the library. `fatal`: the socket is of no use any more. */
  broke(cause: unknown, fatal: boolean): void;
};

/** What the library calls without waiting for it, and whether the connection survives its failure. */
const WRAPPED: Readonly<Record<string, { fatal: boolean }>> = {
  internalConnect: { fatal: true },
  onMessage: { fatal: false },
  onClose: { fatal: true },
  onError: { fatal: false },
  heartbeat: { fatal: true },
};

export class GuardedStrategy extends SimpleShardingStrategy {
  constructor(
    manager: Manager,
    private readonly hooks: Hooks,
  ) {
    super(manager);
    // The names of its events are an enum that the library does not pass on.
    const on = (event: string, run: (data: Record<string, unknown>) => void) =>
      Reflect.apply(Reflect.get(manager, "on") as Method, manager, [event, run]);
    on("hello", () => hooks.hello());
    on("dispatch", ({ data }) => hooks.dispatch(data as Dispatch));
    on("closed", ({ code }) => hooks.closed(Number(code)));
    on("heartbeat", ({ heartbeatAt, latency }) =>
      hooks.ack({ heartbeatAt: Number(heartbeatAt), latency: Number(latency) }),
    );
  }

  override async spawn(ids: number[]): Promise<void> {
    await super.spawn(ids);
    for (const shard of this.sockets()) this.fence(shard);
  }

  /** Ends connections that do not answer a proper goodbye. */
  kill(): void {
    for (const shard of this.sockets()) {
      const connection = Reflect.get(shard, "connection") as Partial<Record<string, Method>> | null;
      connection?.["terminate"]?.();
    }
  }

  private sockets(): object[] {
    const shards = Reflect.get(this, "shards") as Map<number, object> | undefined;
    return [...(shards?.values() ?? [])];
  }

  private fence(shard: object): void {
    for (const [name, { fatal }] of Object.entries(WRAPPED)) {
      const inner = Reflect.get(shard, name) as Method;
      Reflect.set(shard, name, async (...args: unknown[]) => {
        try {
          if (name === "internalConnect" && !(await this.hooks.mayConnect())) return;
          await Reflect.apply(inner, shard, args);
        } catch (cause) {
          this.hooks.broke(cause, fatal);
        }
      });
    }
  }
}

/**
 * Many WebSocket clients in one process that only count what arrives. They read raw sockets, because a client that builds a
 * string and calls back for every frame would itself be what is measured.
 */
import type { Socket } from "bun";

type Watcher = { handshake: string; rest: Buffer; greeted: boolean };

const CONNECT = JSON.stringify({
  type: "req",
  id: "1",
  method: "connect",
  params: {
    minProtocol: 3,
    maxProtocol: 4,
    client: { id: "cli", version: "bench", platform: "linux", mode: "cli" },
    role: "operator",
    scopes: ["operator.read", "operator.write", "operator.admin"],
    caps: [],
  },
});

export class Crowd {
  private readonly sockets: Socket<Watcher>[] = [];
  private frames = 0;
  private greeted = 0;
  private lost = 0;
  private wake: (() => void) | undefined;

  constructor(private readonly path: string) {}

  /** Connects so many more clients and waits until all are signed in. */
  async join(count: number): Promise<void> {
    for (let i = 0; i < count; i += 50) {
      await Promise.all(Array.from({ length: Math.min(50, count - i) }, () => this.open()));
      await this.until(() => this.greeted >= Math.min(i + 50, count));
    }
    this.reset();
  }

  reset(): void {
    this.frames = 0;
  }

  /** Resolves when so many frames have come since the last reset. */
  seen(frames: number): Promise<void> {
    return this.until(() => this.frames >= frames);
  }

  leave(): void {
    for (const socket of this.sockets) socket.terminate();
  }

  private async until(done: () => boolean): Promise<void> {
    while (!done()) {
      if (this.lost > 0) throw new Error(`${this.lost} clients were disconnected`);
      await new Promise<void>((resolve) => (this.wake = resolve));
    }
  }

  private async open(): Promise<void> {
    const socket = await Bun.connect<Watcher>({
      unix: this.path,
      data: { handshake: "", rest: Buffer.alloc(0), greeted: false },
      socket: {
        data: (self, chunk) => {
          this.read(self, chunk);
          this.wake?.();
        },
        close: () => {
          this.lost++;
          this.wake?.();
        },
      },
    });
    this.sockets.push(socket);
    socket.write(
      "GET / HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
        "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n",
    );
  }

  private read(socket: Socket<Watcher>, chunk: Buffer): void {
    const { data } = socket;
    let bytes = data.rest.length > 0 ? Buffer.concat([data.rest, chunk]) : chunk;
    if (!data.handshake.includes("\r\n\r\n")) {
      const end = bytes.indexOf("\r\n\r\n");
      if (end < 0) {
        data.rest = Buffer.from(bytes);
        return;
      }
      data.handshake = bytes.toString("latin1", 0, end + 4);
      bytes = bytes.subarray(end + 4);
    }
    let at = 0;
    for (;;) {
      const size = frameSize(bytes, at);
      if (size === undefined || at + size > bytes.length) break;
      this.take(socket);
      at += size;
    }
    data.rest = at < bytes.length ? Buffer.from(bytes.subarray(at)) : Buffer.alloc(0);
  }

  /** The first frame is the challenge, the second the greeting, the others are events. */
  private take(socket: Socket<Watcher>): void {
    this.frames++;
    const { data } = socket;
    if (data.greeted) return;
    if (data.handshake.endsWith("!")) {
      data.greeted = true;
      this.greeted++;
      return;
    }
    data.handshake += "!";
    socket.write(maskedText(CONNECT));
  }
}

/** Header and payload of the frame at `at`; undefined when not even the header is there. */
function frameSize(bytes: Buffer, at: number): number | undefined {
  if (bytes.length < at + 2) return undefined;
  const short = bytes[at + 1]! & 0x7f;
  if (short < 126) return 2 + short;
  if (short === 126) return bytes.length < at + 4 ? undefined : 4 + bytes.readUInt16BE(at + 2);
  return bytes.length < at + 10 ? undefined : 10 + Number(bytes.readBigUInt64BE(at + 2));
}

/** A text frame of less than 64 KB with the mask 0, which the protocol allows. */
function maskedText(text: string): Buffer {
  const payload = Buffer.from(text);
  const head = Buffer.from([
    0x81,
    0x80 | 126,
    payload.length >> 8,
    payload.length & 0xff,
    0,
    0,
    0,
    0,
  ]);
  return Buffer.concat([head, payload]);
}

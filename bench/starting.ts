/** Rows about processes: starting, short commands, idle memory, stopping, and the size of the page. */
import type { Home, Row } from "./harness.ts";
import {
  commandMs,
  makeHome,
  median,
  medianOf,
  memory,
  startFloor,
  startGateway,
} from "./harness.ts";

/** Memory settles once the start's garbage is collected, in ms. */
const SETTLE_MS = 3000;

export async function startRows(runs: number): Promise<Row[]> {
  const home = makeHome();
  try {
    const floor: number[] = [];
    const ours: number[] = [];
    const stops: number[] = [];
    // In turn, so that whatever else the machine does falls on both.
    for (let i = 0; i < runs; i++) {
      const least = await startFloor(home);
      floor.push(least.healthyMs);
      await least.stop();
      const gateway = await startGateway(home);
      ours.push(gateway.healthyMs);
      stops.push(await gateway.stop());
    }
    return [
      { name: "floor: spawn to healthy", value: median(floor), unit: "ms" },
      { name: "spawn to /healthz", value: median(ours), unit: "ms", bound: 100 },
      {
        name: "spawn to /healthz, times the floor",
        value: median(ours) / median(floor),
        unit: "x",
        bound: 6,
      },
      { name: "SIGTERM to exit", value: median(stops), unit: "ms", bound: 100 },
    ];
  } finally {
    home.remove();
  }
}

export async function commandRows(runs: number): Promise<Row[]> {
  const home = makeHome();
  const gateway = await startGateway(home);
  const row = async (line: string, bound: number): Promise<Row> => {
    await commandMs(line.split(" "), home);
    const value = await medianOf(runs, () => commandMs(line.split(" "), home));
    return { name: line, value, unit: "ms", bound };
  };
  const lines = ["config get gateway.port", "sessions", "status --json", "health"];
  const admin = ["agents list", "models status", "devices list", "completion --complete -- mod"];
  try {
    const rows = [await row("--version", 40)];
    for (const line of [...lines, ...admin]) rows.push(await row(line, 80));
    rows.push(await row("doctor --json", 300));
    return rows;
  } finally {
    await gateway.stop();
    home.remove();
  }
}

export async function idleRows(): Promise<Row[]> {
  const home = makeHome();
  const floor = await startFloor(home);
  const gateway = await startGateway(home);
  try {
    await Bun.sleep(SETTLE_MS);
    return [
      { name: "floor: idle memory", value: memory(floor.pid, "VmRSS"), unit: "MB" },
      { name: "idle memory", value: memory(gateway.pid, "VmRSS"), unit: "MB", bound: 64 },
    ];
  } finally {
    await floor.stop();
    await gateway.stop();
    home.remove();
  }
}

/** Everything that the browser fetches before it can paint: the page, its scripts and its styles, each gzipped. */
export async function pageRows(): Promise<Row[]> {
  const home: Home = makeHome();
  const gateway = await startGateway(home);
  try {
    const base = `http://127.0.0.1:${gateway.port}`;
    const page = await (await fetch(`${base}/`)).text();
    const linked = [...page.matchAll(/<(?:script|link)\b[^>]*?\b(?:src|href)="([^"]+)"/g)]
      .map((match) => match[1]!)
      .filter((path) => /\.(?:js|css)(?:$|\?)/.test(path));
    const bodies = await Promise.all(
      linked.map(async (path) => (await fetch(new URL(path, `${base}/`))).bytes()),
    );
    const bytes = [new TextEncoder().encode(page), ...bodies].map((b) => Bun.gzipSync(b).length);
    const value = bytes.reduce((sum, n) => sum + n, 0) / 1024;
    return [
      { name: "Control UI, gzip", value, unit: "KB", bound: 120, note: `${bytes.length} files` },
    ];
  } finally {
    await gateway.stop();
    home.remove();
  }
}

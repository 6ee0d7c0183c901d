/**
 * A model vendor for the benchmark, run in a process of its own so that its work is not counted as ours. It streams an answer
 * in the Messages format as the request's text asks (`pieces=20 everyMs=100 id=7`), and remembers when each stream began and
 * ended: what the gateway adds is the whole time minus this. Unlike the fakes of the tests it checks nothing.
 */
type Times = { start: number; end: number };
const times = new Map<string, Times>();

const frame = (event: string, data: object): string =>
  `event: ${event}\ndata: ${JSON.stringify({ type: event, ...data })}\n\n`;
const BEGIN =
  frame("message_start", {
    message: {
      id: "msg_bench",
      type: "message",
      role: "assistant",
      model: "bench",
      content: [],
      stop_reason: null,
      stop_sequence: null,
      usage: { input_tokens: 10, output_tokens: 1 },
    },
  }) + frame("content_block_start", { index: 0, content_block: { type: "text", text: "" } });
const PIECE = frame("content_block_delta", {
  index: 0,
  delta: { type: "text_delta", text: "twenty characters or so " },
});
const END =
  frame("content_block_stop", { index: 0 }) +
  frame("message_delta", {
    delta: { stop_reason: "end_turn", stop_sequence: null },
    usage: { output_tokens: 20 },
  }) +
  frame("message_stop", {});

/** The last wish in the conversation is that of this turn. */
function wishOf(text: string): { id: string; pieces: number; everyMs: number } {
  const found = [...text.matchAll(/pieces=(\d+) everyMs=(\d+) id=([\w-]+)/g)].at(-1);
  return {
    pieces: Number(found?.[1] ?? 1),
    everyMs: Number(found?.[2] ?? 0),
    id: found?.[3] ?? "",
  };
}

const server = Bun.serve({
  hostname: "127.0.0.1",
  port: 0,
  idleTimeout: 0,
  async fetch(request) {
    if (request.method === "GET") return Response.json(Object.fromEntries(times));
    const start = performance.now();
    const { id, pieces, everyMs } = wishOf(await request.text());
    const encoder = new TextEncoder();
    const body = new ReadableStream<Uint8Array>({
      async start(stream) {
        stream.enqueue(encoder.encode(BEGIN));
        for (let i = 0; i < pieces; i++) {
          if (everyMs > 0) await Bun.sleep(everyMs);
          stream.enqueue(encoder.encode(PIECE));
        }
        stream.enqueue(encoder.encode(END));
        times.set(id, { start, end: performance.now() });
        stream.close();
      },
    });
    return new Response(body, { headers: { "content-type": "text/event-stream" } });
  },
});
process.stdout.write(`${server.url.origin}\n`);

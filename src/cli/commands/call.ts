/** Calls a method of the running gateway by its name, for scripts and for looking around. */
import { AppError } from "../../base/errors.ts";
import type { Methods } from "../../gateway/methods/index.ts";
import { command, GATEWAY_ARGS } from "../command.ts";
import { checkSize, withGateway } from "../rpc.ts";

export const call = command({
  doc: "Call a method of the running gateway and print its answer.",
  args: {
    method: { type: "positional", required: true, description: "Name of the method." },
    params: { type: "string", hint: "json", default: "{}", description: "Parameters as JSON." },
    "expect-final": { type: "boolean", description: "Wait for the second answer of `agent`." },
    ...GATEWAY_ARGS,
  },
  examples: [
    ["gateway call status", "state of the gateway and its sessions"],
    [`gateway call sessions.list --params '{"limit":5}'`, "with parameters"],
    ["gateway call models.list --json", "only the JSON"],
  ],
  async run(args, cli) {
    const params = parseParams(args.params);
    const answer = await withGateway(cli, args, (gateway) => {
      checkSize(gateway, params);
      const { client, timeoutMs } = gateway;
      // The name comes from a person; the gateway answers "unknown method" to a wrong one.
      return client.call(args.method as keyof Methods, params as never, {
        timeoutMs,
        final: args["expect-final"],
      });
    });
    if (!args.json) cli.out.line(`Gateway call: ${args.method}`);
    cli.out.data(answer ?? null);
  },
});

function parseParams(text: string): Record<string, unknown> {
  const wrong = (cause?: unknown) =>
    new AppError("usage", "Invalid --params (use a JSON object)", {
      cause,
      hint: `As in --params '{"limit":5}'.`,
    });
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value === "object" && value !== null && !Array.isArray(value))
      return value as Record<string, unknown>;
  } catch (cause) {
    throw wrong(cause);
  }
  throw wrong();
}

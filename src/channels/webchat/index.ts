/** The browser, the terminal and every other signed-in client of the gateway, as a channel. */
import { channel } from "../channel.ts";
import { WebchatConfig } from "./config.ts";

export default channel({
  id: "webchat",
  config: WebchatConfig,
  limits: { text: 1_000_000 },
  render: "markdown",
  transcript: true,
  async start(ctx) {
    return {
      async send(out) {
        ctx.announce(out);
        return { ids: [out.key], at: Date.now() };
      },
      async stop() {
        // Nothing is open: clients belong to the gateway.
      },
    };
  },
});

/** The browser, the terminal and every other signed-in client of the gateway, as a channel. */
import { AppError } from "../../base/errors.ts";
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
        const id = await ctx.say(out.to.chatId, out.text);
        if (id === undefined)
          throw new AppError("channel_rejected", `There is no conversation ${out.to.chatId}.`);
        return { ids: [id], at: Date.now() };
      },
      async stop() {
        ctx.log.debug("nothing to close: clients belong to the gateway");
      },
    };
  },
});

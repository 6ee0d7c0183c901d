import { z } from "zod";

/** WebChat has no settings of its own: the gateway's sign-in is its access control. */
export const WebchatConfig = z.looseObject({}).meta({ title: "WebChat", group: "channels" });

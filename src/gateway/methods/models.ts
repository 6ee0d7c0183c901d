/** Which models there are. */
import { z } from "zod";

import type { ModelInfo } from "../../providers/provider.ts";
import { method } from "../method.ts";

export const models = {
  "models.list": method({
    doc: "All models that can be used now.",
    scope: "operator.read",
    params: z.object({}),
    result: z.lazy(() =>
      z.object({ models: z.array(z.custom<ModelInfo>()), defaultRef: z.string() }),
    ),
    async run(_, { models: catalog, info }) {
      return {
        models: await catalog.list(),
        defaultRef: await catalog.defaultRef(info.defaultAgentId),
      };
    },
  }),
};

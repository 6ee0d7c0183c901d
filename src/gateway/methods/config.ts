/** The config as it is, and its schema for forms. Secrets never leave the gateway: the snapshot is masked where it is made. */
import { z } from "zod";

import { configSchema } from "../../config/schema.ts";
import { method } from "../method.ts";

const Issues = z.array(z.object({ path: z.string(), message: z.string() }));

export const config = {
  "config.get": method({
    doc: "The config file: text, parsed, and with defaults. Secrets are masked.",
    scope: "operator.admin",
    newScope: "operator.read",
    params: z.object({}),
    result: z.lazy(() =>
      z.object({
        path: z.string(),
        exists: z.boolean(),
        raw: z.string().nullable(),
        parsed: z.unknown(),
        valid: z.boolean(),
        config: z.unknown(),
        hash: z.string(),
        issues: Issues,
        warnings: Issues,
        legacyIssues: Issues,
        inactive: z.array(z.string()),
      }),
    ),
    run: async (_, ctx) => ctx.config.snapshot(),
  }),

  "config.schema": method({
    doc: "JSON schema (draft-07) of the config, and hints for a form.",
    scope: "operator.admin",
    newScope: "operator.read",
    params: z.object({}),
    result: z.lazy(() =>
      z.object({
        schema: z.unknown(),
        uiHints: z.record(z.string(), z.unknown()),
        version: z.string(),
        generatedAt: z.string(),
      }),
    ),
    run: async (_, ctx) => configSchema(ctx.gateway.now()),
  }),
};

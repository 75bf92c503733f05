import { createHash } from "node:crypto";
import * as z from "zod";
import { choice, distinct, list, mapping, name } from "../fields.ts";

const DIGEST = "must be the 64 hex digits that npm run key prints";

/** Everyone can read these keys in the README, so they open nothing but the demo. */
const DEMO_DIGESTS: ReadonlySet<string> = new Set(
  ["demo", "demo-limited"].map((key) => createHash("sha256").update(key).digest("hex")),
);

const key = mapping({
  id: name().describe("Name of this key in logs; revoke it by removing its entry."),
  user: name().describe("Whose key it is: limits and jobs belong to this user."),
  role: choice(["user", "service", "operator", "admin"]).describe(
    "user: own requests. service: acts for any user. operator: also sees all and does " +
      "maintenance. admin: everything.",
  ),
  sha256: z
    .string({ error: DIGEST })
    .regex(/^[0-9a-f]{64}$/i, { error: DIGEST })
    .transform((digest) => digest.toLowerCase())
    .refine((digest) => !DEMO_DIGESTS.has(digest), {
      error:
        "this is the digest of a demo key, which everyone knows: run npm run key for a new one",
    })
    .describe("SHA-256 of the key, as npm run key prints it; the key itself is never stored."),
});

export const auth = mapping({
  keys: distinct(list(key), "id", "sha256")
    .default([])
    .describe("Who may use the API. [] = nobody; npm run key prints an entry to paste."),
})
  .prefault({})
  .describe("Keys of the API.");

import { parseCidr, parseHost } from "../addresses.ts";
import { address, list, mapping } from "../fields.ts";

export const network = mapping({
  allowed_cidrs: list(address(parseCidr))
    .default([])
    .describe(
      "Address ranges that clients may come from, beside this machine. [] = everyone, with a " +
        "warning.",
    ),
  trusted_proxies: list(address(parseCidr))
    .default([])
    .describe(
      "Address ranges of your reverse proxies, whose X-Forwarded-For is believed. Set it when " +
        "one is in front.",
    ),
  worker_hosts: list(address(parseHost))
    .default([])
    .describe(
      "Hosts on which servers that telemetry reports become workers by themselves. [] = none do.",
    ),
})
  .prefault({})
  .describe("Who may reach the router, and whom it may reach.");

import { parseListenHost } from "../addresses.ts";
import { address, mapping, mebibytes, seconds, toggle, whole } from "../fields.ts";

export const api = mapping({
  host: address(parseListenHost)
    .default("0.0.0.0")
    .describe(
      "Address to listen on. 127.0.0.1 where only this machine should reach the router; the " +
        "demo uses that by itself.",
    ),
  port: whole(0, 65_535)
    .default(8000)
    .describe("TCP port to listen on; 0 takes any free one. Change it when the port is taken."),
  debug: toggle()
    .default(false)
    .describe(
      "Logs at level debug, with every routing decision. Turn it on to see why requests go " +
        "where they go.",
    ),
  body_limit_mb: mebibytes(1024)
    .default(32)
    .describe("Largest request body. Raise it for long prompts, images or audio."),
  drain_timeout: seconds(0, 86_400)
    .default(30)
    .describe(
      "How long running requests may finish after SIGTERM. Raise it for long generations, and " +
        "the container's grace period with it.",
    ),
})
  .prefault({})
  .describe("Where the router listens.");

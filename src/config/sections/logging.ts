import { parseHttpUrl } from "../addresses.ts";
import { address, choice, mapping, text } from "../fields.ts";

export const logging = mapping({
  url: address(parseHttpUrl)
    .nullable()
    .default(null)
    .describe("Base URL of the Logging Service, which gets a copy of the log. null = none."),
  format: choice(["json", "loki"])
    .default("json")
    .describe("What the Logging Service is sent: a JSON array, or Loki's push format."),
  level: choice(["debug", "info", "warn", "error"])
    .default("info")
    .describe("Least important lines that are logged. api.debug means debug."),
  trace_file: text()
    .nullable()
    .default(null)
    .describe("File that records requests, without their content, for a replay. null = none."),
})
  .prefault({})
  .describe("What is logged, and where to.");

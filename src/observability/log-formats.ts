import pino from "pino";

/** How the Logging Service wants its lines: where they are posted, and as what. */
export interface LogFormat {
  /** `baseUrl` has no slash at its end. */
  readonly address: (baseUrl: string) => string;
  /** JSON, for whole lines that are JSON themselves, each with its end; at least one. */
  readonly body: (lines: Buffer) => Buffer | string;
}

const LOKI_PATH = "/loki/api/v1/push";

export const LOG_FORMATS = {
  json: { address: (baseUrl) => `${baseUrl}/logs`, body: jsonArray },
  loki: {
    address: (baseUrl) => (baseUrl.endsWith(LOKI_PATH) ? baseUrl : baseUrl + LOKI_PATH),
    body: lokiPush,
  },
} as const satisfies Readonly<Record<string, LogFormat>>;

export type LogFormatName = keyof typeof LOG_FORMATS;

const LINE_END = 0x0a;
const COMMA = 0x2c;

/** Each line is JSON already, and has no line end inside. */
function jsonArray(lines: Buffer): Buffer {
  const array = Buffer.allocUnsafeSlow(lines.length + 1);
  array[0] = "[".charCodeAt(0);
  lines.copy(array, 1);
  for (let at = array.indexOf(LINE_END); at !== -1; at = array.indexOf(LINE_END, at + 1)) {
    array[at] = COMMA;
  }
  array[lines.length] = "]".charCodeAt(0);
  return array;
}

/** As the logger begins every line. */
const START = /^\{"level":(\d+),"time":(\d+)/;

/**
 * A stream for each level, with no other label beside the service: in Loki each set of labels is a
 * stream of its own. Times are nanoseconds, as text; the lines of a stream keep their order.
 * https://grafana.com/docs/loki/latest/reference/loki-http-api/#ingest-logs
 */
function lokiPush(lines: Buffer): string {
  const valuesByLevel = new Map<string, string[]>();
  for (const line of lines.toString().trimEnd().split("\n")) {
    const [, level = "", timeMs = "0"] = START.exec(line) ?? [];
    const value = `["${timeMs}000000",${JSON.stringify(line)}]`;
    const values = valuesByLevel.get(level);
    if (values) values.push(value);
    else valuesByLevel.set(level, [value]);
  }
  const streams = [...valuesByLevel].map(([level, values]) => {
    const labels = { service_name: "gpu-request-router", level: pino.levels.labels[Number(level)] };
    return `{"stream":${JSON.stringify(labels)},"values":[${values.join(",")}]}`;
  });
  return `{"streams":[${streams.join(",")}]}`;
}

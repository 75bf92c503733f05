import { describe, expect, test } from "vitest";
import { loadYaml, problemsIn } from "./load-yaml.ts";

const inFile = (settings: string) => `api: { host: 127.0.0.1 }\ngpu_monitoring: { ${settings} }\n`;

const DEFAULT = "http://gpu-monitoring-service:8080";

describe("with source dcgm", () => {
  test.each([
    ["one exporter", "url: http://a:9400", ["http://a:9400", []]],
    ["several", "url: http://a:9400, urls: [http://b:9400]", ["http://a:9400", ["http://b:9400"]]],
    ["all in urls", "url: null, urls: [http://b:9400]", [null, ["http://b:9400"]]],
    ["none", "url: null", [null, []]],
  ])("%s is taken", (_, urls, expected) => {
    const { url, urls: more } = loadYaml(inFile(`source: dcgm, ${urls}`)).config.gpu_monitoring;
    expect([url, more]).toEqual(expected);
  });

  test.each(["", `, url: "${DEFAULT}"`, ", urls: [http://b:9400]"])(
    "the monitoring service's URL is refused, given or not: %s",
    (rest) => {
      expect(problemsIn(inFile(`source: dcgm${rest}`))).toEqual([
        expect.stringMatching(
          /^config\.yaml:2: gpu_monitoring\.url: the default is that of a GPU Monitoring Service; with source dcgm set it to your dcgm-exporter, such as http:\/\/10\.0\.0\.11:9400, or to null/,
        ),
      ]);
    },
  );

  test("the same exporter with and without its page is one too many", () => {
    const urls = "url: http://a:9400, urls: [http://a:9400/metrics]";
    expect(problemsIn(inFile(`source: dcgm, ${urls}`))).toEqual([
      expect.stringContaining("gpu_monitoring.urls[0]: the same service is listed twice"),
    ]);
    expect(problemsIn(inFile(urls))).toEqual([]);
  });
});

describe("with source nvidia-smi", () => {
  test.each(["", ", url: null", `, url: "${DEFAULT}"`])("no URL is needed: %s", (rest) => {
    const { config } = loadYaml(inFile(`source: nvidia-smi${rest}`));
    expect(config.gpu_monitoring.source).toBe("nvidia-smi");
  });

  test.each([
    ["url: http://a:9400", "config.yaml:2: gpu_monitoring.url: "],
    ["urls: [http://a:9400]", "config.yaml:2: gpu_monitoring.urls: "],
  ])("one that was written is refused: %s", (urls, place) => {
    expect(problemsIn(inFile(`source: nvidia-smi, ${urls}`))).toEqual([
      `${place}source nvidia-smi reads the GPUs of this machine and asks no URL: remove this ` +
        "setting, or set source to service or dcgm",
    ]);
  });

  test("one from the environment is refused by its name", () => {
    const env = { GPU_MONITORING_URL: "http://a:8080" };
    expect(problemsIn(inFile("source: nvidia-smi"), env)).toEqual([
      expect.stringMatching(/^GPU_MONITORING_URL: gpu_monitoring\.url: source nvidia-smi reads/),
    ]);
  });
});

test("a source that does not exist is refused with those that do", () => {
  expect(problemsIn(inFile("source: smi"))).toEqual([
    expect.stringContaining('found "smi", must be one of: service, nvidia-smi, dcgm'),
  ]);
});

import { expect, test } from "vitest";
import { openSource, type SourceSpec } from "../../../../src/fleet/sources/open-source.ts";
import { FakeClock } from "../../../support/fake-clock.ts";

const at = (url: string, kind: "service" | "dcgm"): SourceSpec => ({ kind, url, token: null });

test.each<[SourceSpec, name: string, host: string]>([
  [at("http://10.0.0.10:8080", "service"), "10.0.0.10:8080", "10.0.0.10"],
  [at("http://proxy/box1", "service"), "proxy/box1", "proxy"],
  [at("http://10.0.0.11:9400", "dcgm"), "10.0.0.11:9400", "10.0.0.11"],
  [at("http://10.0.0.11:9400/metrics", "dcgm"), "10.0.0.11:9400", "10.0.0.11"],
  [at("http://proxy/box1/metrics", "dcgm"), "proxy/box1", "proxy"],
  [{ kind: "nvidia-smi" }, "nvidia-smi", "localhost"],
])("%j is named by where it is asked", async (spec, name, host) => {
  const source = openSource(spec, new FakeClock());
  expect([source.name, source.host]).toEqual([name, host]);
  await source.close();
});

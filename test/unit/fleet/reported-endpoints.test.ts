import { describe, expect, test } from "vitest";
import { workersFromEndpoints } from "../../../src/fleet/reported-endpoints.ts";
import { gpu } from "../../support/fleet-builders.ts";

const allowance = { workerHosts: new Set(["10.0.0.5"]), configuredUrls: new Set<string>() };

function reported(...endpoints: readonly (string | null)[]) {
  const gpus = endpoints.map((endpoint, index) => gpu(`gpu-${index}`, { endpoint }));
  return workersFromEndpoints(gpus, allowance);
}

describe("an endpoint that a GPU reports", () => {
  test("becomes a worker on the GPUs that report it", () => {
    const { specs, ignored } = reported("http://10.0.0.5:8000", null, "http://10.0.0.5:8000");
    expect(ignored.size).toBe(0);
    expect(specs).toHaveLength(1);
    expect(specs[0]).toMatchObject({
      id: "10.0.0.5:8000",
      url: "http://10.0.0.5:8000",
      engine: "openai",
      gpus: ["gpu-0", "gpu-2"],
      apiKey: null,
    });
  });

  test.each(["http://10.0.0.5:8000/", "http://10.0.0.5:8000/v1", "http://10.0.0.5:8000/v1/"])(
    "means the same server when it is written %s",
    (endpoint) => {
      expect(reported(endpoint).specs[0]?.url).toBe("http://10.0.0.5:8000");
    },
  );

  test("keeps its base path, also in the worker's id", () => {
    const { specs } = reported("http://10.0.0.5/a", "http://10.0.0.5/b/v1");
    expect(specs.map(({ url }) => url)).toEqual(["http://10.0.0.5/a", "http://10.0.0.5/b"]);
    expect(specs.map(({ id }) => id)).toEqual(["10.0.0.5/a", "10.0.0.5/b"]);
  });

  test("on a host that is not allowed is ignored, with the line that allows it", () => {
    const { specs, ignored } = reported("http://10.0.0.6:8000");
    expect(specs).toEqual([]);
    expect(ignored.get("http://10.0.0.6:8000")).toContain('"10.0.0.6" to network.worker_hosts');
  });

  test.each([
    "ftp://10.0.0.5/",
    "file:///etc/passwd",
    "http://user:secret@10.0.0.5:8000",
    "10.0.0.5:8000",
    "nonsense",
  ])("%s is never followed", (endpoint) => {
    const { specs, ignored } = reported(endpoint);
    expect(specs).toEqual([]);
    expect([...ignored.keys()]).toEqual([endpoint]);
  });

  test("of a configured worker makes no second one", () => {
    const configuredUrls = new Set(["http://10.0.0.5:8000"]);
    const gpus = [gpu("gpu-0", { endpoint: "http://10.0.0.5:8000/v1" })];
    const { specs, ignored } = workersFromEndpoints(gpus, { ...allowance, configuredUrls });
    expect(specs).toEqual([]);
    expect(ignored.size).toBe(0);
  });
});

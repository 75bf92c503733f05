import { expect, onTestFinished, test } from "vitest";
import { runKeyCommand } from "../../../src/cli/key-command.ts";
import { readmeYaml } from "../../house/readme-yaml.ts";
import { openRouterProcess } from "../../support/router-process.ts";
import { reportedGpu, startStubMonitoringService } from "../../support/stub-monitoring-service.ts";
import { startStubWorker } from "../../support/stub-worker.ts";

test("README's ten lines, with real addresses and a key from npm run key, route requests", async () => {
  const [node1, node2, desk] = await Promise.all([
    startStubWorker(),
    startStubWorker(),
    startStubWorker(),
  ]);
  const [one, two] = await Promise.all([
    startStubMonitoringService({ gpus: [reportedGpu("GPU-1")] }),
    startStubMonitoringService({ gpus: [reportedGpu("GPU-2")] }),
  ]);
  desk.models = "missing";
  desk.ollamaTags = { models: [{ name: "llama3:8b" }] };
  desk.ollamaPs = { models: [] };
  onTestFinished(async () => {
    await Promise.all([node1, node2, desk, one, two].map((stub) => stub.close()));
  });
  const { stdout: printed } = runKeyCommand(["--user", "alice", "--role", "admin"]);
  const key = /^gr_live_\S+$/m.exec(printed)?.[0] ?? "";
  const sha256 = /sha256: "(\w+)"/.exec(printed)?.[1] ?? "";
  const config = readmeYaml(sha256)
    .replace("http://10.0.0.11:8080", one.url)
    .replace("http://10.0.0.12:8080", two.url)
    .replace("http://10.0.0.11:8000", node1.url)
    .replace("http://10.0.0.12:8000", node2.url)
    .replace("http://10.0.0.13:11434", desk.url);
  expect(config).not.toContain("http://10.");

  const router = openRouterProcess({ config });
  const address = await router.address();
  await router.printed(/(?:"to":"up"[^]*){3}/);
  const headers = { authorization: `Bearer ${key}`, "content-type": "application/json" };
  const answeredBy = async (model: string): Promise<string | null> => {
    const body = JSON.stringify({ model, messages: [{ role: "user", content: "Hello" }] });
    const url = `${address}/v1/chat/completions`;
    const response = await fetch(url, { method: "POST", headers, body });
    expect(response.status).toBe(200);
    return response.headers.get("x-worker-id");
  };
  expect(await answeredBy("stub-model")).toMatch(/^node[12]$/);
  expect(await answeredBy("llama3:8b")).toBe("desk");
  const health = (await (await fetch(`${address}/health`)).json()) as Record<string, unknown>;
  expect(health).toMatchObject({ status: "healthy", gpus: 2, workers: { up: 3 } });
  // What is left to tell is nothing: neither keys, workers nor the monitor are missing.
  expect(router.log.filter(({ level }) => Number(level) >= 40)).toEqual([]);
});

import { describe, expect, test } from "vitest";
import { at, printed } from "./ctl-setup.ts";

const GIB = 2 ** 30;

const cordon = { reason: "driver upgrade", since: at(-65_000), by: "alice" };
const cooling = { state: "cooling", reason: "connection refused", until: at(42_000) };

function gpu(id: string, changes: object = {}) {
  return {
    gpu_id: id,
    name: "H100 80GB",
    status: "available",
    memory_total: 80 * GIB,
    memory_used: 20 * GIB,
    utilization: 0.5,
    temperature: 71,
    too_hot: false,
    power_usage: 300,
    power_limit: 700,
    health: null,
    active_requests: 2,
    queued_requests: 1,
    cooldown: null,
    maintenance: null,
    workers: ["node1"],
    age_ms: 3100,
    ...changes,
  };
}

function worker(id: string, changes: object = {}) {
  return {
    worker_id: id,
    engine: "vllm",
    state: "up",
    state_reason: null,
    models: ["llama", "qwen"],
    gpu_ids: ["GPU-1"],
    slots: 8,
    active_requests: 2,
    error_rate: 0.25,
    cooldown: null,
    maintenance: null,
    ...changes,
  };
}

describe("gpus", () => {
  test.each([
    ["no GPU", [], "no monitor reports a GPU; npm run ctl -- workers lists the workers"],
    ["one GPU", [gpu("a")], expect.stringMatching(/^a /) as string],
  ])("with %s tells of a cordon that no row shows", async (_what, gpus, last) => {
    const cordons = ["a", "node1", "GPU-\u001b"].map((id) => ({ gpu_id: id, ...cordon }));
    const lines = await printed(["gpus"], { gpus, workers: [worker("node1")], cordons });
    const notes = lines.slice(lines.indexOf("") + 1);
    expect(lines[lines.indexOf("") - 1]).toEqual(last);
    const said = "cordoned by alice 65 s ago: driver upgrade (not listed)";
    expect(notes).toContain(String.raw`GPU-\u001b: ${said}`);
    expect(notes).toHaveLength(gpus.length === 0 ? 2 : 1);
  });

  test("shows each GPU in one line, with units", async () => {
    const gpus = [gpu("GPU-8a1c2f3e-0000-1111-2222-333344445555"), gpu("b", { name: null })];
    expect(await printed(["gpus"], { gpus, workers: [worker("node1")] })).toEqual([
      "GPU           NAME       STATE      UTIL         MEMORY   TEMP      POWER  RUN  WAIT  WORKERS  AGE",
      "GPU-8a1c2f3e  H100 80GB  available  50 %  20.0/80.0 GiB  71 °C  300/700 W    2     1  node1    3 s",
      "b             -          available  50 %  20.0/80.0 GiB  71 °C  300/700 W    2     1  node1    3 s",
    ]);
  });

  test.each([
    [{ maintenance: cordon, cooldown: cooling, too_hot: true }, "cordoned"],
    [{ status: "error", too_hot: true }, "error"],
    [{ status: "maintenance" }, "maintenance"],
    [{ health: { status: "critical", errors: ["XID 79"] }, too_hot: true }, "critical"],
    [{ too_hot: true, cooldown: cooling }, "too hot"],
    [{ cooldown: { ...cooling, state: "warming_up" } }, "warming up"],
    [{ health: { status: "warning", errors: [] } }, "warning"],
    [{ status: "busy" }, "busy"],
  ])("%j is %s", async (changes, state) => {
    const [titles = "", row = ""] = await printed(["gpus"], {
      gpus: [gpu("a", changes)],
      workers: [],
    });
    const from = titles.indexOf("STATE");
    expect(row.slice(from, titles.indexOf("UTIL")).trim()).toBe(state);
  });

  test("tells the reasons below the table", async () => {
    const gpus = [
      gpu("a", { maintenance: cordon, cooldown: cooling }),
      gpu("b", { maintenance: { ...cordon, by: null, reason: null } }),
      gpu("c", { health: { status: "critical", errors: ["XID 79", "ECC"] } }),
      gpu("d", { cooldown: { state: "probing", reason: "refused", until: at(-9000) } }),
    ];
    const lines = await printed(["gpus"], { gpus, workers: [] });
    expect(lines.slice(5)).toEqual([
      "",
      "a: cordoned by alice 65 s ago: driver upgrade",
      "a: cooling for 42 s more: connection refused",
      "b: cordoned 65 s ago",
      "c: XID 79; ECC",
      "d: probing: refused",
    ]);
  });

  test("marks a worker that is cordoned on a GPU that is not", async () => {
    const workers = [worker("node1", { maintenance: cordon }), worker("node2")];
    const gpus = [
      gpu("a", { workers: ["node1", "node2"] }),
      gpu("b", { maintenance: cordon, workers: ["node1"] }),
    ];
    const [, one, two] = await printed(["gpus"], { gpus, workers });
    expect(one).toContain("node1 (cordoned) node2 ");
    expect(two).toMatch(/ node1 +3 s$/);
  });

  test("without any points to the workers", async () => {
    const lines = await printed(["gpus"], { gpus: [], workers: [] });
    expect(lines).toEqual(["no monitor reports a GPU; npm run ctl -- workers lists the workers"]);
  });

  test("lets no escape sequence of a name or a reason reach the terminal", async () => {
    const evil = "\u001b]0;owned\u0007\u001b[2J";
    const gpus = [
      gpu(evil, {
        name: evil,
        maintenance: { ...cordon, reason: evil, by: evil },
        workers: [evil],
      }),
    ];
    const lines = await printed(["gpus"], { gpus, workers: [worker(evil, { gpu_ids: [evil] })] });
    expect(lines.join("")).not.toContain("\u001b");
    expect(lines.join("")).toContain(String.raw`\u001b]0;owned\u0007`);
  });

  test("fits a terminal of 80 columns, in colours", async () => {
    const page = { width: 80, colours: true };
    const lines = await printed(["gpus"], { gpus: [gpu("gpu-a100")], workers: [] }, { page });
    expect(lines.join("\n")).toContain("\u001b[32mavailable\u001b[39m");
    // oxlint-disable-next-line no-control-regex -- the colours themselves take no room
    const widths = lines.map((line) => line.replaceAll(/\u001b\[\d+m/g, "").length);
    expect(Math.max(...widths)).toBeLessThanOrEqual(80);
    expect(lines.at(-1)).toContain("no room for ");
  });
});

test("workers shows each in one line, and why it is not up", async () => {
  const workers = [
    worker("node1"),
    worker("node2", { state: "down", state_reason: "refused", models: [], gpu_ids: [] }),
    worker("node3", { cooldown: cooling }),
    worker("node4", { maintenance: cordon, state: "down", state_reason: "refused" }),
    worker("node5", { maintenance: cordon }),
  ];
  expect(await printed(["workers"], { gpus: [], workers })).toEqual([
    "WORKER  ENGINE  STATE           RUN  SLOTS  ERRORS  GPUS   MODELS",
    "node1   vllm    up                2      8    25 %  GPU-1  llama qwen",
    "node2   vllm    down              2      8    25 %  -      -",
    "node3   vllm    cooling           2      8    25 %  GPU-1  llama qwen",
    "node4   vllm    cordoned, down    2      8    25 %  GPU-1  llama qwen",
    "node5   vllm    cordoned          2      8    25 %  GPU-1  llama qwen",
    "",
    "node2: down: refused",
    "node3: cooling for 42 s more: connection refused",
    "node4: cordoned by alice 65 s ago: driver upgrade",
    "node4: down: refused",
    "node5: cordoned by alice 65 s ago: driver upgrade",
  ]);
});

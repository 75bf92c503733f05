import { describe, expect, test } from "vitest";
import { at, ctl, printed } from "./ctl-setup.ts";

describe("quotas", () => {
  const quota = {
    user_id: "alice",
    window_ms: 60_000,
    requests: { limit: 100, used: 7 },
    tokens: null,
    gpus: { limit: 2, held: 1 },
    priority: { limit: 3 },
    expiration_time: null,
    lasts: null,
  };

  test("shows what is used of what is allowed", async () => {
    expect(await printed(["quotas"], quota)).toEqual([
      "USER   REQUESTS    TOKENS  GPUS  PRIORITY  WINDOW  EXPIRES",
      "alice     7/100  no limit   1/2       1-3    60 s  -",
    ]);
  });

  test("counts tokens that are held, and tells of an override and its end", async () => {
    const tokens = { limit: 1000, used: 100, held: 50 };
    const lasts = "until the router restarts";
    const changes = { tokens, lasts, expiration_time: "2100-01-31T18:00:00.000Z" };
    const lines = await printed(["quotas", "al/ice"], { ...quota, ...changes });
    expect(lines[1]).toMatch(/ 150\/1000 .* 2100-01-31T18:00:00.000Z$/);
    expect(lines.at(-1)).toBe("an override; it lasts until the router restarts");
  });

  test("asks for one's own, or for the user that is named", async () => {
    const paths = async (...argv: string[]) => {
      const { calls } = await ctl(argv, () => quota);
      return calls.map(({ url }) => new URL(url).pathname);
    };
    expect(await paths("quotas")).toEqual(["/api/v1/quotas"]);
    expect(await paths("quotas", "al/ice")).toEqual(["/api/v1/quotas/al%2Fice"]);
  });
});

describe("jobs", () => {
  const job = {
    request_id: "job-1",
    status: "queued",
    user_id: "alice",
    model_id: "llama",
    priority: 4,
    queue_position: 2,
    worker_id: null,
    submitted_at: at(-5000),
  };

  test("shows each in one line, the place only of those that wait", async () => {
    const running = { request_id: "job-2", status: "processing", queue_position: 0 };
    const requests = [job, { ...job, ...running, worker_id: "node1" }];
    expect(await printed(["jobs"], { requests, next_cursor: null })).toEqual([
      "JOB    STATUS      USER   MODEL  PRIORITY  PLACE  WORKER  AGE",
      "job-1  queued      alice  llama         4      2  -       5 s",
      "job-2  processing  alice  llama         4      -  node1   5 s",
    ]);
  });

  test("says that there are more, or none", async () => {
    const more = await printed(["jobs"], { requests: [job], next_cursor: "x" });
    expect(more.at(-1)).toBe("the newest 1 job; there are older ones");
    expect(await printed(["jobs"], { requests: [], next_cursor: null })).toEqual(["no jobs"]);
  });
});

describe("health", () => {
  const health = {
    status: "degraded",
    reasons: ["1 worker(s) cordoned"],
    boot_id: "boot-1",
    uptime_ms: 7_200_000,
    workers: { up: 3, starting: 0, down: 0, cooling: 0, cordoned: 1 },
    gpus: 4,
    monitors: [
      { name: "monitor-1", status: "ok", age_ms: 3000 },
      { name: "monitor-2", status: "waiting", age_ms: null },
    ],
  };

  test("shows the state with its reasons", async () => {
    expect(await printed(["health"], health)).toEqual([
      "degraded",
      "  1 worker(s) cordoned",
      "workers   3 up, 1 cordoned",
      "GPUs      4",
      "monitor-1 ok, last heard 3 s ago",
      "monitor-2 waiting, not heard yet",
      "up for    2 h, boot id boot-1",
    ]);
  });

  test("prints nothing raw of what a foreign server says", async () => {
    const evil = "\u001b[2J\u202e";
    const [name, status] = [`m${evil}`, `ok${evil}`];
    const foreign = {
      ...{ ...health, status: evil, reasons: [evil], boot_id: evil, uptime_ms: evil, gpus: evil },
      workers: { [`up${evil}`]: 1 },
      monitors: [{ name, status, age_ms: evil }],
    };
    const lines = await printed(["health"], foreign);
    expect(lines.join("")).not.toMatch(/[\p{Cc}\p{Cf}]/u);
    expect(lines).toContain(String.raw`GPUs      \u001b[2J\u202e`);
  });

  test("of a router that can serve nobody is no success", async () => {
    const unhealthy = { ...health, status: "unhealthy" };
    const reply = () => Response.json(unhealthy, { status: 503 });
    const { exitCode, stdout } = await ctl(["health"], reply);
    expect(exitCode).toBe(1);
    expect(stdout).toMatch(/^unhealthy\n/);
  });
});

describe("explain", () => {
  const scores = { usage: 0.5, health: 1 };
  const rejected_by = { filter: "cordoned", reason: "cordoned since noon", permanent: false };
  const decision = {
    strategy: "hybrid",
    chosen: "node2",
    candidates: [
      { worker_id: "node1", score: 0.4, scores, rejected_by: null },
      { worker_id: "node2", score: 0.7, scores, rejected_by: null },
      { worker_id: "node3", score: 0.71, scores, rejected_by: null },
      { worker_id: "node4", score: null, scores: null, rejected_by },
      {
        worker_id: "node5",
        score: null,
        scores: null,
        rejected_by: { filter: "serves_model", reason: "does not serve it", permanent: true },
      },
    ],
  };

  test("shows who is chosen, the others by their score, and why the rest is not", async () => {
    expect(await printed(["explain", "--model", "m"], decision)).toEqual([
      "it would go to node2 (strategy hybrid)",
      "",
      "   WORKER  SCORE  USAGE  HEALTH",
      "*  node2    0.70   0.50    1.00",
      "   node3    0.71   0.50    1.00",
      "   node1    0.40   0.50    1.00",
      "",
      "REJECTED  BY            BECAUSE",
      "node4     cordoned      cordoned since noon",
      "node5     serves_model  does not serve it; waiting cannot help",
    ]);
  });

  test("says so where nobody could take it", async () => {
    const candidates = decision.candidates.slice(3);
    const [first] = await printed(["explain", "--model", "m"], {
      ...decision,
      candidates,
      chosen: null,
    });
    expect(first).toBe("nobody could take it now (strategy hybrid)");
  });

  test("makes the shortest body from options, for the user that is named", async () => {
    const argv = ["explain", "--model", "m", "--priority", "5", "--user", "bob"];
    const { calls } = await ctl(argv, () => decision);
    const body = { model_id: "m", priority: 5, payload: { messages: [] } };
    expect(calls).toMatchObject([{ method: "POST", body }]);
    expect(calls[0]?.headers.get("x-user-id")).toBe("bob");
    const plain = await ctl(["explain", "--model", "m"], () => decision);
    expect(plain.calls[0]?.body).toEqual({ model_id: "m", payload: { messages: [] } });
    expect(plain.calls[0]?.headers.has("x-user-id")).toBe(false);
  });

  test("sends the body of a file, or of stdin", async () => {
    const read = (path: string) => Promise.resolve(`{"model_id": "from ${path}"}`);
    for (const path of ["job.json", "-"]) {
      const { calls } = await ctl(["explain", path], () => decision, { read });
      expect(calls[0]?.body).toEqual({ model_id: `from ${path}` });
    }
  });

  test("refuses what is not JSON, naming where it came from", async () => {
    const read = () => Promise.resolve("{");
    for (const [path, name] of [
      ["job.json", "job.json"],
      ["-", "stdin"],
    ] as const) {
      const { exitCode, stderr } = await ctl(["explain", path], undefined, { read });
      expect(exitCode).toBe(2);
      expect(stderr).toMatch(new RegExp(`^${name} is not JSON: `));
    }
  });
});

import { describe, expect, test } from "vitest";
import type { Clock } from "../../../src/clock.ts";
import { hurrying } from "../../support/hurrying-clock.ts";
import { ctl, refusal, type Reply, type SeenCall } from "./ctl-setup.ts";

const maintenance = { reason: null, since: "2026-01-02T03:00:00.000Z", by: "alice" };

/** A fleet of node1 and node2 on GPU-1; `running` says how many requests node1 has at each look. */
function fleetWith(running: readonly number[], cordoned: (look: number) => boolean = () => true) {
  let looks = 0;
  const reply: Reply = ({ method, url }) => {
    const active = running[Math.min(looks, running.length - 1)]!;
    if (method === "POST") {
      const rows = [
        { worker_id: "node1", active_requests: active, cordoned: true },
        { worker_id: "node2", active_requests: 0, cordoned: true },
      ];
      const meant = url.includes("node2") ? rows.slice(1) : rows;
      return { gpu_id: "GPU-1", workers: meant, lasts: "until it is ended" };
    }
    looks += 1;
    const rows = ["node1", "node2"].map((id) => ({
      worker_id: id,
      gpu_ids: ["GPU-1"],
      active_requests: id === "node1" ? active : 0,
      maintenance: cordoned(looks) ? maintenance : null,
    }));
    const workers = rows.map((row) => ({ ...row, cordoned: true }));
    const cordons = ["GPU-1", "node1"].map((id) => ({ gpu_id: id, ...maintenance, workers }));
    return { gpus: [], workers: rows, cordons: cordoned(looks) ? cordons : [] };
  };
  return reply;
}

const posts = (calls: readonly SeenCall[]) =>
  calls
    .filter(({ method }) => method !== "GET")
    .map(({ method, url, body }) => [method, new URL(url).pathname, body]);

describe("cordon", () => {
  test("says what still runs, how long it lasts and what ends it", async () => {
    const { exitCode, stdout, calls } = await ctl(["cordon", "GPU", "new", "fan"], fleetWith([3]));
    expect(exitCode).toBe(0);
    expect(stdout).toBe(
      "GPU-1 is cordoned: new requests go elsewhere; 3 requests still run there (node1 3).\n" +
        "It lasts until it is ended: npm run ctl -- uncordon GPU-1 ends it.\n",
    );
    const body = { enabled: true, reason: "new fan" };
    expect(posts(calls)).toEqual([["POST", "/api/v1/gpus/GPU-1/maintenance", body]]);
  });

  test("without a reason gives none, and encodes the id", async () => {
    const { stdout, calls } = await ctl(["cordon", "a/b 'c'"], fleetWith([0]));
    const path = "/api/v1/gpus/a%2Fb%20'c'/maintenance";
    expect(posts(calls)).toEqual([["POST", path, { enabled: true }]]);
    expect(stdout).toContain(String.raw`npm run ctl -- uncordon 'a/b '\''c'\''' ends it.`);
  });
});

describe("uncordon", () => {
  test("takes the beginning of an id that only its cordon knows", async () => {
    const cordons = [{ gpu_id: "GPU-gone", ...maintenance, workers: [] }];
    const reply: Reply = ({ method }) =>
      method === "GET" ? { gpus: [], workers: [], cordons } : { workers: [] };
    const { calls } = await ctl(["uncordon", "GPU-g"], reply);
    expect(posts(calls)[0]?.[1]).toBe("/api/v1/gpus/GPU-gone/maintenance");
  });

  test("says which workers another id keeps out", async () => {
    const { exitCode, stdout, calls } = await ctl(["uncordon", "GPU-1", "done"], fleetWith([0]));
    expect(exitCode).toBe(0);
    expect(stdout).toBe(
      "GPU-1 is not cordoned.\n" +
        "node1 stays cordoned, by its own id or by another GPU.\n" +
        "node2 stays cordoned, by its own id or by another GPU.\n",
    );
    expect(posts(calls)[0]?.[2]).toEqual({ enabled: false, reason: "done" });
  });
});

describe("clear", () => {
  test.each([
    [["node1", "node2"], "Cooldown ended: node1, node2\n"],
    [[], "GPU-1 had no cooldown.\n"],
  ])("of a router that cleared %j", async (cleared, printed) => {
    const fleet = fleetWith([0]);
    const reply: Reply = (call) => (call.method === "DELETE" ? { cleared } : fleet(call));
    const { exitCode, stdout, calls } = await ctl(["clear", "GPU-1"], reply);
    expect({ exitCode, stdout }).toEqual({ exitCode: 0, stdout: printed });
    expect(posts(calls)).toEqual([["DELETE", "/api/v1/gpus/GPU-1/cooldown", null]]);
  });
});

describe("drain", () => {
  /** Looks again at once, as if a second had passed, and has all time for an answer. */
  let nowMs = 0;
  const clock: Clock = {
    ...hurrying,
    now: () => nowMs,
    after(delayMs, run) {
      if (delayMs > 1000) return { cancel: () => undefined };
      nowMs += delayMs;
      return hurrying.after(delayMs, run);
    },
  };
  const around = { clock };

  test("cordons it once, tells each change, and ends when nothing runs there", async () => {
    const reply = fleetWith([2, 2, 2, 1, 0]);
    const { exitCode, stdout, stderr, calls } = await ctl(["drain", "GPU-1", "fan"], reply, around);
    expect(exitCode).toBe(0);
    expect(stderr).toBe(
      "GPU-1 is cordoned: new requests go elsewhere.\n" +
        "2 requests still run there (node1 2)\n1 request still runs there (node1 1)\n",
    );
    expect(stdout).toBe(
      "GPU-1 is drained: nothing runs there. npm run ctl -- uncordon GPU-1 ends it.\n",
    );
    expect(posts(calls)).toHaveLength(1);
  });

  test("of an idle one ends at once", async () => {
    const { exitCode, stderr, calls } = await ctl(["drain", "GPU-1"], fleetWith([0]), around);
    expect({ exitCode, stderr, calls: calls.length }).toEqual({
      exitCode: 0,
      stderr: "",
      calls: 2,
    });
  });

  test("on a terminal writes over one line that fits it", async () => {
    const wide = { ...around, errWidth: 20 };
    const { stderr } = await ctl(["drain", "GPU-1"], fleetWith([2, 2, 1, 0]), wide);
    expect(stderr.split("\r\u001b[K")).toEqual([
      "GPU-1 is cordoned: new requests go elsewhere.\n",
      "2 requests still r…",
      "1 request still ru…",
      "",
    ]);
  });

  test("of one worker looks at that one alone", async () => {
    const reply = fleetWith([2, 2, 0]);
    const otherIsBusy: Reply = async (call) => {
      const body = (await reply(call)) as { readonly cordons?: readonly object[] };
      const workers = [{ worker_id: "node2", active_requests: 9, cordoned: true }];
      const other = { gpu_id: "node2", ...maintenance, workers };
      return call.method === "GET" ? { ...body, cordons: [other, ...(body.cordons ?? [])] } : body;
    };
    const { exitCode, stdout } = await ctl(["drain", "node1"], otherIsBusy, around);
    expect(exitCode).toBe(0);
    expect(stdout).toMatch(/^node1 is drained/);
  });

  test("at Ctrl-C leaves it cordoned, and says so", async () => {
    let interrupt = (): void => undefined;
    const reply = fleetWith([2]);
    const looking: Reply = (call) => {
      if (call.method === "POST") setImmediate(() => interrupt());
      return reply(call);
    };
    const onInterrupt = (run: () => void): void => void (interrupt = run);
    const { exitCode, stdout, stderr } = await ctl(["drain", "GPU-1"], looking, {
      ...around,
      onInterrupt,
    });
    expect({ exitCode, stdout }).toEqual({ exitCode: 130, stdout: "" });
    expect(stderr).toMatch(
      /\nGPU-1 stays cordoned: 2 requests still run there \(node1 2\)\. npm run ctl -- uncordon GPU-1 ends it\.\n$/,
    );
  });

  test.each<[string, Reply]>([
    ["a connection that breaks", () => Promise.reject(new TypeError("failed"))],
    ["the router's own 500", () => refusal(500, "INTERNAL_ERROR", "internal error")],
    ["a proxy that has no router", () => new Response("Bad Gateway", { status: 502 })],
  ])("outlives %s for a minute", async (_what, fail) => {
    let looks = 0;
    const fleet = fleetWith([2, 2, 0]);
    const reply: Reply = (call) => {
      if (call.method === "GET") looks += 1;
      return looks > 1 && looks < 60 ? fail(call) : fleet(call);
    };
    const { exitCode, stdout, stderr } = await ctl(["drain", "GPU-1"], reply, around);
    expect(exitCode).toBe(0);
    expect(stdout).toMatch(/^GPU-1 is drained/);
    const running = "2 requests still run there (node1 2)";
    expect(stderr.split("\n").slice(1, -1)).toEqual([running, "no answer, asking again", running]);
  });

  test("of what has left the fleet ends when nothing runs there", async () => {
    const rows = [[{ worker_id: "node1", active_requests: 1, cordoned: true }], []];
    const gone = () => {
      const cordons = [{ gpu_id: "GPU-1", ...maintenance, workers: rows.shift() }];
      return { gpus: [], workers: [], cordons };
    };
    const { exitCode, stderr } = await ctl(["drain", "GPU-1"], failingAfter(1, gone), around);
    expect(exitCode).toBe(0);
    expect(stderr).toContain("1 request still runs there (node1 1)\n");
  });

  test.each([
    ["whose cordon somebody ended", fleetWith([2], (look) => look < 3), /not cordoned any more/],
    [
      "of a router that is gone",
      failingAfter(2, () => Promise.reject(new TypeError("failed"))),
      /no router answers at .* GPU-1 was cordoned and not drained yet\.$/m,
    ],
    [
      "that refuses",
      failingAfter(2, () => refusal(401, "UNAUTHORIZED", "revoked")),
      /^(?!.*asking again).*UNAUTHORIZED: revoked/s,
    ],
    [
      "of a router that answers for long as none does",
      failingAfter(2, () => new Response("Bad Gateway", { status: 502 })),
      /HTTP 502.* GPU-1 was cordoned and not drained yet\.$/m,
    ],
  ])("%s is 1", async (_what, reply, says) => {
    const { exitCode, stdout, stderr } = await ctl(["drain", "GPU-1"], reply, around);
    expect({ exitCode, stdout }).toEqual({ exitCode: 1, stdout: "" });
    expect(stderr).toMatch(says);
  });

  test("with --json waits in silence, and prints the API's last answer", async () => {
    const { stdout, stderr } = await ctl(
      ["drain", "GPU-1", "--json"],
      fleetWith([2, 1, 0]),
      around,
    );
    expect(stderr).toBe("");
    expect(JSON.parse(stdout)).toMatchObject({
      gpu_id: "GPU-1",
      workers: [{ active_requests: 0 }, {}],
    });
  });
});

function failingAfter(looks: number, fail: Reply): Reply {
  const fleet = fleetWith([2]);
  let seen = 0;
  return (call) => {
    if (call.method === "GET") seen += 1;
    return call.method === "GET" && seen > looks ? fail(call) : fleet(call);
  };
}

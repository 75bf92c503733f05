import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { createDcgmExporter } from "../../../../src/fleet/sources/dcgm.ts";
import type { GpuSource } from "../../../../src/fleet/sources/source.ts";
import { FakeClock } from "../../../support/fake-clock.ts";
import { StubDcgmExporter } from "../../../support/stub-dcgm-exporter.ts";

let exporter: StubDcgmExporter;
const sources: GpuSource[] = [];

beforeEach(async () => {
  exporter = await new StubDcgmExporter().listen();
  exporter.report(["GPU-a", "GPU-b"]);
});

afterEach(async () => {
  for (const source of sources.splice(0)) await source.close();
  await exporter.close();
});

function sourceAt(url: string, token: string | null = null): GpuSource {
  const source = createDcgmExporter({ name: "exporter", url, token, clock: new FakeClock() });
  sources.push(source);
  return source;
}

async function failureOf(poll: Promise<unknown>): Promise<string> {
  return poll.then(
    () => "did not fail",
    (error: unknown) => (error as Error).message,
  );
}

test.each(["", "/", "/metrics", "/metrics/", "/box1", "/box1/metrics"])(
  "the page is asked once, wherever the URL ends: %s",
  async (path) => {
    const source = sourceAt(exporter.url + path, "secret");
    expect((await source.poll()).gpus.map(({ id }) => id)).toEqual(["GPU-a", "GPU-b"]);
    const page = path.startsWith("/box1") ? "/box1/metrics" : "/metrics";
    expect(exporter.asked).toEqual([[page, "Bearer secret"]]);
    expect(source.host).toBe("127.0.0.1");
  },
);

describe("a poll fails with its reason and the fix:", () => {
  test.each([
    [401, "refused our token; set gpu_monitoring.token_env"],
    [404, "answered 404, expected 200; check gpu_monitoring.url"],
    [500, "answered 500, expected 200"],
  ])("status %i", async (status, words) => {
    exporter.status = status;
    const failure = await failureOf(sourceAt(exporter.url).poll());
    expect(failure).toContain(`GET ${exporter.url}/metrics `);
    expect(failure).toContain(words);
  });

  test("a page without a GPU, which would otherwise empty the fleet", async () => {
    exporter.rawPage = "# HELP go_goroutines Number.\ngo_goroutines 12\n";
    expect(await failureOf(sourceAt(exporter.url).poll())).toMatch(
      /answered 200 without any series of a GPU .* check gpu_monitoring\.url and source if it is no dcgm-exporter/,
    );
  });

  test("nobody there", async () => {
    const source = sourceAt("http://127.0.0.1:1");
    expect(await failureOf(source.poll())).toContain("start dcgm-exporter there, or correct");
  });
});

describe("health", () => {
  test("comes with each poll, so that a fallen GPU need not wait for a health check", async () => {
    const source = sourceAt(exporter.url);
    expect((await source.poll()).health).toEqual(
      new Map([
        ["GPU-a", null],
        ["GPU-b", null],
      ]),
    );
    exporter.report(["GPU-a", "GPU-b"], { XID_ERRORS: 79 });
    const critical = { status: "critical", errors: ["XID 79"] };
    expect((await source.poll()).health?.get("GPU-a")).toEqual(critical);
    exporter.report(["GPU-a"], { XID_ERRORS: 45 });
    expect((await source.poll()).health?.get("GPU-a")?.status).toBe("critical");
    exporter.report(["GPU-a"], { XID_ERRORS: 0 });
    expect((await source.poll()).health?.get("GPU-a")?.status).toBe("healthy");
  });

  test("is told from the latest page, without asking again", async () => {
    const source = sourceAt(exporter.url);
    exporter.report(["GPU-a"], { ROW_REMAP_FAILURE: 1 });
    await source.poll();
    expect((await source.health("GPU-a"))?.status).toBe("critical");
    expect(await source.health("GPU-x")).toBeNull();
    expect(exporter.asked).toHaveLength(1);
  });

  test("stays what it was while the exporter fails", async () => {
    const source = sourceAt(exporter.url);
    exporter.report(["GPU-a"], { XID_ERRORS: 79 });
    await source.poll();
    exporter.status = 500;
    await failureOf(source.poll());
    expect((await source.health("GPU-a"))?.status).toBe("critical");
  });

  test("without the last XID, a critical one counts until nobody listens there for a moment", async () => {
    const labels = 'gpu="0",UUID="GPU-a"';
    const temperature = `DCGM_FI_DEV_GPU_TEMP{${labels}} 45\n`;
    const source = sourceAt(exporter.url);
    const statusWith = async (page: string) => {
      exporter.rawPage = page;
      return (await source.poll()).health?.get("GPU-a")?.status ?? null;
    };
    const counted = `DCGM_EXP_XID_ERRORS_COUNT{${labels},xid="79"} 1\n`;
    expect(await statusWith(temperature + counted)).toBe("critical");
    exporter.status = 500;
    await failureOf(source.poll());
    exporter.status = 200;
    expect(await statusWith(temperature)).toBe("critical");
    await exporter.restart(() => failureOf(source.poll()));
    expect(await statusWith(temperature)).toBeNull();
  });
});

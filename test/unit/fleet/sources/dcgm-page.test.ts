import { describe, expect, test } from "vitest";
import { readDcgmPage } from "../../../../src/fleet/sources/dcgm-page.ts";
import { gpusOn, MIB, NOTHING_KNOWN } from "./dcgm-page-setup.ts";

/** Series of GPU-a: a name with or without its prefix, labels beside the UUID, and the value. */
function series(...lines: readonly string[]): string {
  return lines
    .map((line) => {
      const [, name = "", labels = "", value = ""] = /^(\w+)(?:\{(.*)\})? (.*)$/.exec(line) ?? [];
      const metric = name.startsWith("DCGM") ? name : `DCGM_FI_DEV_${name}`;
      return `${metric}{gpu="0",UUID="GPU-a"${labels && `,${labels}`}} ${value}\n`;
    })
    .join("");
}

describe("a value", () => {
  test.each([
    ["GPU_UTIL 57", { utilization: 0.57, status: "busy" }],
    ["GPU_UTIL 10", { utilization: 0.1, status: "busy" }],
    ["GPU_UTIL 9", { utilization: 0.09, status: "available" }],
    ["DCGM_FI_PROF_GR_ENGINE_ACTIVE 0.4", { utilization: 0.4 }],
    ["POWER_MGMT_LIMIT 700.000000", { powerLimitW: 700 }],
    ["FB_TOTAL 81920", { memoryTotalBytes: 85_899_345_920 }],
    ["GPU_TEMP 4.5e+01", { temperatureC: 45 }],
    ["GPU_TEMP 45 1700000000000", { temperatureC: 45 }],
  ])("%s", async (line, expected) => {
    expect((await gpusOn(series(line))).gpus[0]).toMatchObject(expected);
  });

  test.each(["2147483632", "140737488355328", "9223372036854775792", "9223372036854775794"])(
    "that is DCGM's blank %s is unknown, and no news",
    async (blank) => {
      const { gpus, problems } = await gpusOn(series("GPU_TEMP 45", `POWER_USAGE ${blank}`));
      expect(gpus[0]).toMatchObject({ temperatureC: 45, powerUsageW: null });
      expect(problems).toEqual([]);
    },
  );

  test.each([
    ["GPU_TEMP 151", "GPU-a: temperature is too large, expected 0 to 150 °C; taken as unknown"],
    ["POWER_USAGE -1", "GPU-a: power_usage is negative, expected 0 to 10000 W; taken as unknown"],
    ["GPU_TEMP NaN", "GPU-a: temperature is not finite, expected 0 to 150 °C; taken as unknown"],
    [
      "GPU_TEMP ERROR - FAILED TO CONVERT TO STRING",
      "GPU-a: temperature is not finite, expected 0 to 150 °C; taken as unknown",
    ],
  ])("that makes no sense is unknown, and named: %s", async (line, problem) => {
    const { gpus, problems } = await gpusOn(series(line));
    expect(gpus).toEqual([{ ...NOTHING_KNOWN, id: "GPU-a" }]);
    expect(problems).toEqual([problem]);
  });

  test("of the profiler does not hide the driver's: it can stay at 0 after a fault", async () => {
    const page = series("DCGM_FI_PROF_GR_ENGINE_ACTIVE 0", "GPU_UTIL 100");
    expect((await gpusOn(page)).gpus[0]).toMatchObject({ utilization: 1 });
  });

  test("of the limit that is enforced counts before the one that was asked for", async () => {
    const page = series("POWER_MGMT_LIMIT 700", "ENFORCED_POWER_LIMIT 450");
    expect((await gpusOn(page)).gpus[0]).toMatchObject({ powerLimitW: 450 });
  });

  test.each([
    ["used alone", ["FB_USED 10"], null],
    ["none, as on GB10", ["GPU_TEMP 40"], null],
    ["zeros, as of one release", ["FB_USED 0", "FB_FREE 0", "FB_RESERVED 0"], null],
    ["without reserved", ["FB_USED 1000", "FB_FREE 2000"], 3000 * MIB],
  ])("of memory in all: %s", async (_, lines, memoryTotalBytes) => {
    const { gpus, problems } = await gpusOn(series(...lines));
    expect(gpus[0]).toMatchObject({ memoryTotalBytes });
    expect(problems).toEqual([]);
  });

  test("is the whole GPU's, the first one, where pods that share it have one each", async () => {
    const page = series(
      'FB_USED{pod=""} 30000',
      'FB_USED{pod="a"} 10000',
      'FB_USED{pod="b"} 20000',
    );
    expect((await gpusOn(page)).gpus).toMatchObject([{ memoryUsedBytes: 30_000 * MIB }]);
  });
});

describe("a GPU", () => {
  test("is found by the label of --use-old-namespace too", async () => {
    const page = 'DCGM_FI_DEV_GPU_TEMP{gpu="0",uuid="GPU-old"} 40\n';
    expect((await gpusOn(page)).gpus).toMatchObject([{ id: "GPU-old", temperatureC: 40 }]);
  });

  test.each([
    ["a node exporter's page", 'node_cpu_seconds_total{cpu="0"} 1\n'],
    ["HTML", "<!doctype html><p>Not found"],
    ["nothing", ""],
    ["a series of another entity", 'DCGM_FI_DEV_GPU_TEMP{nvswitch="0"} 40\n'],
    ["a line that breaks off", 'DCGM_FI_DEV_GPU_TEMP{gpu="0",UUID="GPU-a'],
  ])("is not found on %s", async (_, page) => {
    expect(await readDcgmPage(page)).toEqual([]);
  });

  test("with a quote and a comma in a label keeps its name", async () => {
    const page = series('GPU_TEMP{modelName="A \\"fast\\", new one"} 40');
    expect((await gpusOn(page)).gpus[0]).toMatchObject({ name: 'A "fast", new one' });
  });

  test("in MIG mode has no series of its own where the exporter repeats all for each instance", async () => {
    const mig = (id: number, value: string) => `GPU_TEMP{GPU_I_ID="${id}"} ${value}`;
    const page = series(mig(1, "50"), mig(2, "51"), 'FB_USED{GPU_I_ID="2"} 7');
    expect((await gpusOn(page)).gpus).toMatchObject([
      { id: "MIG-GPU-a.1", temperatureC: 50, memoryUsedBytes: null },
      { id: "MIG-GPU-a.2", temperatureC: 51, memoryUsedBytes: 7 * MIB },
    ]);
  });
});

describe("XIDs", () => {
  const xidsOn = async (...lines: readonly string[]) => {
    const found = await readDcgmPage(series(...lines));
    return found.map(({ evidence }) => evidence.xids && [...evidence.xids]);
  };

  test("are the last one, with the exporter's words, and those counted lately", async () => {
    const counted = "DCGM_EXP_XID_ERRORS_COUNT";
    expect(
      await xidsOn(
        'XID_ERRORS{err_code="45",err_msg="Preemptive cleanup, due to previous errors"} 45',
        `${counted}{window_size_in_ms="300000",xid="62"} 1`,
        `${counted}{window_size_in_ms="300000",xid="45"} 2`,
      ),
    ).toEqual([
      [
        [45, "Preemptive cleanup, due to previous errors"],
        [62, ""],
      ],
    ]);
  });

  test("are none for 0, and for a count of 0 with or without a code", async () => {
    expect(await xidsOn("XID_ERRORS 0")).toEqual([[]]);
    expect(await xidsOn("DCGM_EXP_XID_ERRORS_COUNT 0")).toEqual([[]]);
    expect(await xidsOn('DCGM_EXP_XID_ERRORS_COUNT{xid="79"} 0')).toEqual([[]]);
  });

  test("tell what the gauge shows, the card's and the instance's as one, and not the count", async () => {
    const lastXidOn = async (...lines: readonly string[]) => {
      const [found] = await readDcgmPage(series(...lines));
      return found?.evidence.lastXid;
    };
    expect(await lastXidOn("XID_ERRORS 79")).toBe(79);
    expect(await lastXidOn("XID_ERROR 0")).toBe(0);
    expect(await lastXidOn('DCGM_EXP_XID_ERRORS_COUNT{xid="79"} 1')).toBeNull();
    expect(await lastXidOn("XID_ERRORS 79", 'XID_ERRORS{GPU_I_ID="1"} 0')).toBe(79);
    expect(await lastXidOn("XID_ERRORS 0", 'GPU_TEMP{GPU_I_ID="1"} 40')).toBe(0);
  });

  test("of a card concern each of its MIG instances", async () => {
    const found = await xidsOn("XID_ERRORS 79", 'GPU_TEMP{GPU_I_ID="1"} 40');
    expect(found).toEqual([[[79, ""]]]);
  });
});

test("reading a page of megabytes gives way to others, and loses no line of it", async () => {
  const ids = Array.from({ length: 10_000 }, (_, index) => `GPU-${index}-${"x".repeat(100)}`);
  const page = ids.map((id) => `DCGM_FI_DEV_GPU_TEMP{gpu="0",UUID="${id}"} 40\n`).join("");
  let turns = 0;
  let isReading = true;
  const take = (): void => {
    turns += 1;
    if (isReading) setImmediate(take);
  };
  setImmediate(take);
  const found = await readDcgmPage(page);
  isReading = false;
  expect(found.map(({ reported }) => reported.gpu_id)).toEqual(ids);
  expect(new Set(found.map(({ reported }) => reported["temperature"]))).toEqual(new Set([40]));
  expect(turns).toBeGreaterThan(4);
});

import { describe, expect, test } from "vitest";
import {
  healthOf,
  XidMemory,
  type DcgmEvidence,
} from "../../../../src/fleet/sources/dcgm-health.ts";
import type { GpuHealth } from "../../../../src/fleet/gpu.ts";
import { meaningOf } from "../../../../src/fleet/sources/xid.ts";

const NOTHING: DcgmEvidence = {
  xids: null,
  remapFailed: null,
  remapPending: null,
  doubleBitErrors: null,
};

const WELL: DcgmEvidence = {
  xids: new Map(),
  remapFailed: 0,
  remapPending: 0,
  doubleBitErrors: 0,
};

const xid = (code: number, words = "") => ({ xids: new Map([[code, words]]) });

describe("health", () => {
  test.each<[string, Partial<DcgmEvidence>, GpuHealth]>([
    [
      "a fallen GPU",
      xid(79, "GPU has fallen off the bus"),
      { status: "critical", errors: ["XID 79: GPU has fallen off the bus"] },
    ],
    ["a code without words", xid(48), { status: "critical", errors: ["XID 48"] }],
    ["a code of the hardware", xid(94), { status: "warning", errors: ["XID 94"] }],
    ["a code that nobody knows", xid(999), { status: "warning", errors: ["XID 999"] }],
    [
      "a program's mistake",
      xid(31, "GPU memory page fault"),
      {
        status: "healthy",
        errors: ["XID 31: GPU memory page fault (caused by a program, not by the GPU)"],
      },
    ],
    [
      "failed row remapping",
      { remapFailed: 1 },
      { status: "critical", errors: ["remapping of broken memory rows has failed"] },
    ],
    [
      "pending row remapping",
      { remapPending: 1 },
      { status: "warning", errors: ["memory rows wait to be remapped: reset the GPU"] },
    ],
    [
      "uncorrected errors",
      { doubleBitErrors: 3 },
      { status: "warning", errors: ["3 uncorrected ECC errors since the driver was loaded"] },
    ],
    ["nothing", {}, { status: "healthy", errors: [] }],
  ])("of %s", (_, found, expected) => {
    expect(healthOf({ ...WELL, ...found })).toEqual(expected);
  });

  test("is the worst that was found, and names all of it, the worst first", () => {
    const xids = new Map([
      [31, ""],
      [63, ""],
      [64, ""],
    ]);
    expect(healthOf({ ...WELL, xids, doubleBitErrors: 1 })).toEqual({
      status: "critical",
      errors: [
        "XID 64",
        "XID 63",
        "1 uncorrected ECC errors since the driver was loaded",
        "XID 31 (caused by a program, not by the GPU)",
      ],
    });
  });

  test("is not offered where the exporter has none of its metrics", () => {
    expect(healthOf(NOTHING)).toBeNull();
    expect(healthOf({ ...NOTHING, remapFailed: 0 })).toEqual({ status: "healthy", errors: [] });
  });

  test("does not pass on words without end", () => {
    const [text = ""] = healthOf({ ...WELL, ...xid(79, "x".repeat(10_000)) })?.errors ?? [];
    expect(text).toHaveLength("XID 79: ".length + 200);
  });
});

test.each([
  [[46, 48, 62, 64, 74, 79, 95, 119, 120, 140, 143, 154], "needs reset"],
  [[61, 63, 92, 94, 109, 121, 144, 500], "hardware"],
  [[13, 31, 43, 45, 68, 69], "application"],
] as const)("XID %j: %s", (codes, meaning) => {
  expect(codes.map(meaningOf)).toEqual(codes.map(() => meaning));
});

describe("a code that needs a reset", () => {
  const tell = (memory: XidMemory, told: Record<string, readonly number[] | null>) => {
    const seen = Object.entries(told).map(([id, xids]) => {
      return [id, xids && new Map(xids.map((code) => [code, `words of ${code}`]))] as const;
    });
    return Object.fromEntries([...memory.add(new Map(seen))].map(([id, x]) => [id, x && [...x]]));
  };
  const fallen = [79, "words of 79"];
  const ended = [45, "words of 45"];

  test("counts on while the exporter shows another one, and no longer once it shows none", () => {
    const memory = new XidMemory();
    expect(tell(memory, { a: [79], b: [] })).toEqual({ a: [fallen], b: [] });
    expect(tell(memory, { a: [45], b: [45] })).toEqual({ a: [fallen, ended], b: [ended] });
    expect(tell(memory, { a: [45], b: [45] })).toEqual({ a: [fallen, ended], b: [ended] });
    expect(tell(memory, { a: [], b: [] })).toEqual({ a: [], b: [] });
    expect(tell(memory, { a: [45], b: [] })).toEqual({ a: [ended], b: [] });
  });

  test("is forgotten too when the XID series is gone: the exporter is new", () => {
    const memory = new XidMemory();
    tell(memory, { a: [79] });
    expect(tell(memory, { a: null })).toEqual({ a: null });
    expect(tell(memory, { a: [31] })).toEqual({ a: [[31, "words of 31"]] });
  });

  test("and nothing else is kept", () => {
    const memory = new XidMemory();
    tell(memory, { a: [94, 79, 31] });
    expect(tell(memory, { a: [45] })).toEqual({ a: [fallen, ended] });
  });
});

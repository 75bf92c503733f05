/**
 * The metrics of dcgm-exporter that are read. DCGM 4.7 gave most of them other names and some of them
 * other units; a fleet has exporters of both kinds, and a page may even have both names.
 */

const MIB = 1024 * 1024;

/** What a metric tells of a GPU. */
export type DcgmField =
  | "temperature"
  | "powerUsage"
  | "powerLimit"
  | "enforcedPowerLimit"
  | "utilization"
  | "engineActive"
  | "memoryTotal"
  | "memoryUsed"
  | "memoryFree"
  | "memoryReserved"
  | "lastXid"
  | "recentXids"
  | "remapFailed"
  | "remapPending"
  | "doubleBitErrors";

interface DcgmMetric {
  readonly field: DcgmField;
  /** What the exporter's value is divided by and multiplied with, to be in the router's unit. */
  readonly per?: number;
  readonly times?: number;
}

/** By name; the older one first. */
export const DCGM_METRICS: Readonly<Record<string, DcgmMetric>> = {
  DCGM_FI_DEV_GPU_TEMP: { field: "temperature" },
  DCGM_FI_DEV_GPU_TEMP_CELSIUS: { field: "temperature" },
  DCGM_FI_DEV_POWER_USAGE: { field: "powerUsage" },
  DCGM_FI_DEV_BOARD_POWER_WATTS: { field: "powerUsage" },
  DCGM_FI_DEV_POWER_MGMT_LIMIT: { field: "powerLimit" },
  DCGM_FI_DEV_BOARD_POWER_LIMIT_REQUESTED_WATTS: { field: "powerLimit" },
  DCGM_FI_DEV_ENFORCED_POWER_LIMIT: { field: "enforcedPowerLimit" },
  DCGM_FI_DEV_BOARD_POWER_LIMIT_ENFORCED_WATTS: { field: "enforcedPowerLimit" },
  DCGM_FI_DEV_GPU_UTIL: { field: "utilization", per: 100 },
  DCGM_FI_DEV_GPU_UTIL_RATIO: { field: "utilization" },
  DCGM_FI_PROF_GR_ENGINE_ACTIVE: { field: "engineActive" },
  DCGM_FI_PROF_GR_ENGINE_UTIL_RATIO: { field: "engineActive" },
  DCGM_FI_DEV_FB_TOTAL: { field: "memoryTotal", times: MIB },
  DCGM_FI_DEV_FB_CAPACITY_BYTES: { field: "memoryTotal" },
  DCGM_FI_DEV_FB_USED: { field: "memoryUsed", times: MIB },
  DCGM_FI_DEV_FB_USED_BYTES: { field: "memoryUsed" },
  DCGM_FI_DEV_FB_FREE: { field: "memoryFree", times: MIB },
  DCGM_FI_DEV_FB_FREE_BYTES: { field: "memoryFree" },
  DCGM_FI_DEV_FB_RESERVED: { field: "memoryReserved", times: MIB },
  DCGM_FI_DEV_FB_RESERVED_BYTES: { field: "memoryReserved" },
  DCGM_FI_DEV_XID_ERRORS: { field: "lastXid" },
  DCGM_FI_DEV_XID_ERROR: { field: "lastXid" },
  DCGM_EXP_XID_ERRORS_COUNT: { field: "recentXids" },
  DCGM_FI_DEV_ROW_REMAP_FAILURE: { field: "remapFailed" },
  DCGM_FI_DEV_ROW_REMAP_FAILED: { field: "remapFailed" },
  DCGM_FI_DEV_ROW_REMAP_PENDING: { field: "remapPending" },
  DCGM_FI_DEV_ECC_DBE_VOL_TOTAL: { field: "doubleBitErrors" },
};

export const DCGM_METRIC_NAMES: ReadonlySet<string> = new Set(Object.keys(DCGM_METRICS));

/**
 * DCGM's blank values, for what a GPU does not support or may not tell: from 0x7ffffff0 in 32 bits,
 * 2^47 as a float and 0x7ffffffffffffff0 in 64 bits. Newer exporters leave such series out.
 */
export function isBlank(value: number): boolean {
  return value >= 2 ** 47 || (value >= 0x7f_ff_ff_f0 && value <= 0x7f_ff_ff_ff);
}

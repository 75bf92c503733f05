/**
 * What is asked of nvidia-smi. Fields were added and renamed over the years, and it refuses a whole
 * query for one that it does not know: each column has its names from newest to oldest, and one that
 * this driver knows by none of them is left out.
 */

/** In the order in which they are asked. The name comes last: it alone may hold a comma. */
const FIELDS = {
  index: ["index"],
  uuid: ["uuid"],
  busId: ["pci.bus_id"],
  /** GPUs in the machine. */
  count: ["count"],
  driverVersion: ["driver_version"],
  memoryTotal: ["memory.total"],
  memoryUsed: ["memory.used"],
  memoryFree: ["memory.free"],
  utilization: ["utilization.gpu"],
  temperature: ["temperature.gpu"],
  powerDraw: ["power.draw"],
  /** What holds, where software and hardware set one each. */
  powerLimit: ["enforced.power.limit", "power.limit"],
  computeCapability: ["compute_cap"],
  /** Since the driver was loaded. */
  eccUncorrected: ["ecc.errors.uncorrected.volatile.total"],
  /** A bitmask; renamed with driver 535. */
  slowdowns: ["clocks_event_reasons.active", "clocks_throttle_reasons.active"],
  /** What the driver itself asks for after a fault. */
  recoveryAction: ["gpu_recovery_action"],
  migMode: ["mig.mode.current"],
  name: ["name"],
} as const satisfies Record<string, readonly string[]>;

type Column = keyof typeof FIELDS;

interface Asked {
  readonly column: Column;
  /** Its names that are left to try, the one that is asked first. */
  readonly fields: readonly string[];
}

/** The columns that are asked, left to right. */
export type Query = readonly Asked[];

/** One line of the answer; a column that is not asked is absent. */
export type Row = Readonly<Partial<Record<Column, string>>>;

export const WHOLE_QUERY: Query = Object.entries(FIELDS).map(([column, fields]) => ({
  column: column as Column,
  fields,
}));

export function fieldsOf(query: Query): string {
  return query.map(({ fields }) => fields[0]).join(",");
}

/** Without rows of their own, and an id each, there are no GPUs. */
const NEEDED: readonly Column[] = ["index", "uuid", "name"];

/** The query with the next older name for `field`, or without its column; null = that cannot help. */
export function withoutField(query: Query, field: string): Query | null {
  const refused = query.find(({ fields }) => fields[0] === field);
  if (refused === undefined || NEEDED.includes(refused.column)) return null;
  const next = { ...refused, fields: refused.fields.slice(1) };
  return query.flatMap((asked) => {
    if (asked !== refused) return [asked];
    return next.fields.length > 0 ? [next] : [];
  });
}

/** null = not a line of the table: nvidia-smi prints its errors in between. */
export function parseRow(line: string, query: Query): Row | null {
  const cells = line.split(",");
  if (cells.length < query.length) return null;
  const last = query.length - 1;
  const texts = [...cells.slice(0, last), cells.slice(last).join(",")];
  return Object.fromEntries(query.map(({ column }, i) => [column, texts[i]?.trim() ?? ""]));
}

import { readDcgmPage } from "../../../../src/fleet/sources/dcgm-page.ts";
import { readGpus } from "../../../../src/fleet/sources/read-gpus.ts";

export const MIB = 1024 * 1024;

/** What the source makes of a page. */
export async function gpusOn(page: string) {
  const found = await readDcgmPage(page);
  const { gpus, problems } = readGpus({ gpus: found.map(({ reported }) => reported) });
  return { gpus, problems };
}

/** Of a GPU of which the page tells only its id. */
export const NOTHING_KNOWN = {
  name: null,
  status: "available",
  computeCapability: null,
  memoryTotalBytes: null,
  memoryUsedBytes: null,
  memoryFreeBytes: null,
  utilization: null,
  temperatureC: null,
  powerUsageW: null,
  powerLimitW: null,
  performanceIndex: null,
  errorRate: null,
  uptimeS: null,
  processes: [],
  endpoint: null,
};

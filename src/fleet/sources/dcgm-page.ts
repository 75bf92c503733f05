import { samplesOf, type Sample } from "../engines/prometheus-text.ts";
import type { DcgmEvidence, Xids } from "./dcgm-health.ts";
import { DCGM_METRIC_NAMES, DCGM_METRICS, isBlank, type DcgmField } from "./dcgm-metrics.ts";

/** A card, or a MIG instance of one, as the exporter's series tell it. */
interface Told {
  model: string | null;
  profile: string | null;
  readonly values: Map<DcgmField, number>;
  readonly xids: Map<number, string>;
}

interface Card extends Told {
  readonly instances: Map<string, Told>;
}

/** One GPU of a page. */
export interface DcgmGpu {
  /** In the fields of the monitoring service, of which `readGpus` makes sense. */
  readonly reported: Readonly<Record<string, unknown>> & { readonly gpu_id: string };
  readonly evidence: DcgmEvidence;
}

const BUSY_UTILIZATION = 0.1;
/** Read without a pause: about 2 ms. */
const PART_CHARS = 256 * 1024;

/**
 * The GPUs of a page, each once; none where it is no page of a dcgm-exporter. Requests get a turn after
 * each part of a large one.
 */
export async function readDcgmPage(text: string): Promise<DcgmGpu[]> {
  const page = new DcgmPage();
  for (let start = 0; start < text.length;) {
    const newline = text.indexOf("\n", start + PART_CHARS);
    const end = newline === -1 ? text.length : newline + 1;
    page.take(text.slice(start, end));
    start = end;
    if (start < text.length) await new Promise((resolve) => setImmediate(resolve));
  }
  return [...page.gpus()];
}

class DcgmPage {
  readonly #cards = new Map<string, Card>();

  /** `text` is a number of whole lines. */
  take(text: string): void {
    for (const sample of samplesOf(text, DCGM_METRIC_NAMES)) {
      // The second is that of --use-old-namespace.
      const uuid = sample.labels.get("UUID") ?? sample.labels.get("uuid") ?? "";
      if (uuid !== "") record(this.#toldOf(uuid, sample.labels), sample);
    }
  }

  /**
   * A card that is split into MIG instances is told as these: it can run nothing as a whole, and its
   * memory would be counted twice.
   */
  *gpus(): Generator<DcgmGpu> {
    for (const [uuid, card] of this.#cards) {
      if (card.instances.size === 0) yield gpuOf(uuid, card, card);
      for (const [instance, told] of card.instances) {
        yield gpuOf(`MIG-${uuid}.${instance}`, told, card);
      }
    }
  }

  #toldOf(uuid: string, labels: Sample["labels"]): Told {
    const known = this.#cards.get(uuid);
    const card = known ?? { ...nothingTold(), instances: new Map<string, Told>() };
    if (!known) this.#cards.set(uuid, card);
    card.model ??= labels.get("modelName") || null;
    const instance = labels.get("GPU_I_ID") ?? "";
    if (instance === "") return card;
    const told = card.instances.get(instance) ?? nothingTold();
    card.instances.set(instance, told);
    told.profile ??= labels.get("GPU_I_PROFILE") || null;
    return told;
  }
}

function nothingTold(): Told {
  return { model: null, profile: null, values: new Map(), xids: new Map() };
}

/**
 * In Kubernetes a GPU that pods share has a series for each of them, and two metrics tell the pod's
 * part there; the first is that of the whole GPU.
 */
function record({ values, xids }: Told, { name, labels, value }: Sample): void {
  const { field, per = 1, times = 1 } = DCGM_METRICS[name]!;
  if (isBlank(value)) return;
  if (field === "lastXid") noteXid(xids, value, labels.get("err_msg") ?? "");
  if (field === "recentXids" && value > 0) noteXid(xids, Number(labels.get("xid")), "");
  if (!values.has(field)) values.set(field, (value / per) * times);
}

function noteXid(xids: Map<number, string>, xid: number, words: string): void {
  if (Number.isInteger(xid) && xid > 0) xids.set(xid, words || (xids.get(xid) ?? ""));
}

function gpuOf(id: string, told: Told, card: Card): DcgmGpu {
  const own = (field: DcgmField): number | null => told.values.get(field) ?? null;
  // A card has one temperature and one power supply, however it is split.
  const shared = (field: DcgmField): number | null => own(field) ?? card.values.get(field) ?? null;
  const utilization = own("utilization") ?? own("engineActive");
  return {
    reported: {
      gpu_id: id,
      name: [card.model, told.profile && `MIG ${told.profile}`].filter(Boolean).join(" "),
      status: utilization !== null && utilization >= BUSY_UTILIZATION ? "busy" : "available",
      memory_total: own("memoryTotal") ?? sumOfMemory(own),
      memory_used: own("memoryUsed"),
      memory_free: own("memoryFree"),
      utilization,
      temperature: shared("temperature"),
      power_usage: shared("powerUsage"),
      power_limit: shared("enforcedPowerLimit") ?? shared("powerLimit"),
    },
    evidence: {
      xids: xidsOf(told, card),
      lastXid: lastXidOf(told, card),
      remapFailed: shared("remapFailed"),
      remapPending: shared("remapPending"),
      doubleBitErrors: shared("doubleBitErrors"),
    },
  };
}

/** There is none on GPUs whose memory is the machine's, such as GB10. */
function sumOfMemory(own: (field: DcgmField) => number | null): number | null {
  const used = own("memoryUsed");
  const free = own("memoryFree");
  if (used === null || free === null) return null;
  return used + free + (own("memoryReserved") ?? 0) || null;
}

/** null = no XID metric; newer exporters have none for a GPU until its first XID. */
function xidsOf(told: Told, card: Card): Xids | null {
  const offered = [told, card].some(
    ({ values }) => values.has("lastXid") || values.has("recentXids"),
  );
  return offered ? new Map([...card.xids, ...told.xids]) : null;
}

/** Where card and instance each have one, the exporter has none only where both show none. */
function lastXidOf(told: Told, card: Card): number | null {
  const shown = [told, card].flatMap(({ values }) => values.get("lastXid") ?? []);
  return shown.length === 0 ? null : Math.max(...shown);
}

import { listenOnLoopback, type StubServer } from "./stub-server.ts";

/** Values of one GPU's series by metric, without their DCGM_FI_DEV_. */
export type DcgmValues = Readonly<Record<string, number>>;

/** A dcgm-exporter that says what it is told to. */
export class StubDcgmExporter {
  /** By UUID. */
  gpus = new Map<string, DcgmValues>();
  /** Answered instead of `gpus`. */
  rawPage: string | null = null;
  status = 200;
  /** The path and the authorization of each request. */
  readonly asked: (readonly [path: string, authorization: string | null])[] = [];
  #server: StubServer | null = null;

  async listen(port = 0): Promise<this> {
    this.#server = await listenOnLoopback(port, (request, response) => {
      this.asked.push([request.url ?? "", request.headers.authorization ?? null]);
      response.writeHead(this.status).end(this.rawPage ?? pageOf(this.gpus));
    });
    return this;
  }

  get url(): string {
    return this.#listening().url;
  }

  /** From now on these, each well; with what a test changes of the first. */
  report(ids: readonly string[], changes: DcgmValues = {}): void {
    this.gpus = new Map(ids.map((id) => [id, WELL]));
    if (ids[0] !== undefined) this.gpus.set(ids[0], { ...WELL, ...changes });
  }

  /** Nobody listens while `meanwhile` runs. */
  async restart(meanwhile: () => Promise<unknown>): Promise<void> {
    const { port } = this.#listening();
    await this.close();
    await meanwhile();
    await this.listen(port);
  }

  close(): Promise<void> {
    return this.#listening().close();
  }

  #listening(): StubServer {
    if (!this.#server) throw new Error("The stub exporter is not listening.");
    return this.#server;
  }
}

const WELL: DcgmValues = {
  GPU_TEMP: 45,
  POWER_USAGE: 120,
  GPU_UTIL: 10,
  FB_FREE: 60_000,
  FB_USED: 20_000,
  FB_RESERVED: 600,
};

/** As the exporter orders it: metric by metric, GPU by GPU. */
function pageOf(gpus: ReadonlyMap<string, DcgmValues>): string {
  const names = new Set([...gpus.values()].flatMap((values) => Object.keys(values)));
  return [...names].flatMap((name) => familyOf(`DCGM_FI_DEV_${name}`, name, gpus)).join("\n");
}

function familyOf(metric: string, name: string, gpus: ReadonlyMap<string, DcgmValues>): string[] {
  const series = [...gpus].flatMap(([id, values], index) => {
    const labels = `gpu="${index}",UUID="${id}",device="nvidia${index}",modelName="Stub GPU 80GB"`;
    return name in values ? [`${metric}{${labels}} ${values[name]}`] : [];
  });
  return [`# HELP ${metric} Told by a stub.`, `# TYPE ${metric} gauge`, ...series, ""];
}

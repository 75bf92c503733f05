/** What nvidia-smi says of itself, as sentences with the fix. */

/** How one run of it ended. */
export interface Ending {
  /** The lines that are no readings, the first ones. */
  readonly remarks: readonly string[];
  /** null where a signal ended it. */
  readonly exitCode: number | null;
}

const FIXES: readonly (readonly [pattern: RegExp, fix: string])[] = [
  [
    /couldn't communicate with the NVIDIA driver|Driver Not Loaded/i,
    "load the NVIDIA driver (modprobe nvidia), or install it anew for this kernel",
  ],
  [
    /Driver\/library version mismatch/i,
    "the driver was updated while the old one is loaded: reboot the machine",
  ],
  [
    /Failed to initialize NVML/i,
    "in a container: start it anew, with its GPUs (--gpus all); else check that nvidia-smi works " +
      "in a shell",
  ],
  [
    /No devices were found/i,
    "the driver sees no GPU: check lspci and dmesg; in a container, start it with --gpus all",
  ],
  [/Unable to determine the device handle|GPU is lost/i, "reboot the machine; dmesg names the XID"],
];

/** For a program that could not even be started. */
export function explainNoStart(command: string, error: NodeJS.ErrnoException): string {
  if (error.code !== "ENOENT") return `${command} cannot be started: ${error.message}`;
  return (
    `${command} not found: install the NVIDIA driver on this machine; in a container, install the ` +
    "NVIDIA Container Toolkit on its host and start it with --gpus all (in compose: a device " +
    "reservation)"
  );
}

export function explainEnding({ remarks, exitCode }: Ending): string {
  const fix = FIXES.find(([pattern]) => remarks.some((remark) => pattern.test(remark)))?.[1];
  const status = exitCode === null ? "by a signal" : `with exit status ${exitCode}`;
  if (remarks.length === 0) return `nvidia-smi ended ${status}`;
  const said = `nvidia-smi says: ${remarks.join(" ").replace(/\.$/, "")}`;
  return fix === undefined ? `${said} (it ended ${status})` : `${said}; ${fix}`;
}

/** The field that it refuses, and with it the whole query; null = it refuses none. */
export function refusedField(remarks: readonly string[]): string | null {
  for (const remark of remarks) {
    const field = /Field "([^"]+)" is not a valid field to query/.exec(remark)?.[1];
    if (field !== undefined) return field;
  }
  return null;
}

const BUS_ID = /([0-9a-f]{4,8}):([0-9a-f]{2}):([0-9a-f]{2})\.[0-9a-f]/i;

/** The bus id of the GPU that it cannot open, and for which it refuses all others; null = none. */
export function unreachableGpu(remarks: readonly string[]): string | null {
  const remark = remarks.find((text) => /Unable to determine the device handle/i.test(text));
  return remark === undefined ? null : shortBusId(remark);
}

/** It writes the domain with four digits here and with eight there; null = no bus id in `text`. */
export function shortBusId(text: string): string | null {
  const [, domain, bus, device] = BUS_ID.exec(text) ?? [];
  if (domain === undefined) return null;
  return `${Number.parseInt(domain, 16).toString(16)}:${bus}:${device}`.toLowerCase();
}

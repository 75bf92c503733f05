/** Figures as people read them; "-" = not known. */

const GIB = 2 ** 30;

export function percent(share: number | null): string {
  return share === null ? "-" : `${Math.round(share * 100)} %`;
}

/** Both in bytes. */
export function memory(used: number | null, total: number | null): string {
  if (used === null && total === null) return "-";
  return `${gib(used)}/${gib(total)} GiB`;
}

function gib(bytes: number | null): string {
  return bytes === null ? "?" : (bytes / GIB).toFixed(1);
}

export function temperature(celsius: number | null): string {
  return celsius === null ? "-" : `${Math.round(celsius)} °C`;
}

/** Both in watts. */
export function power(used: number | null, limit: number | null): string {
  if (used === null) return "-";
  return limit === null ? `${Math.round(used)} W` : `${Math.round(used)}/${Math.round(limit)} W`;
}

/** To the largest unit that fits, rounded down: "42 s", "3 min", "5 h", "2 d". */
export function duration(ms: number | null): string {
  if (ms === null || Number.isNaN(ms)) return "-";
  const seconds = Math.max(0, Math.floor(ms / 1000));
  if (seconds < 120) return `${seconds} s`;
  if (seconds < 7200) return `${Math.floor(seconds / 60)} min`;
  return seconds < 172_800
    ? `${Math.floor(seconds / 3600)} h`
    : `${Math.floor(seconds / 86_400)} d`;
}

/** "1 request", "2 requests". */
export function counted(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? "" : "s"}`;
}

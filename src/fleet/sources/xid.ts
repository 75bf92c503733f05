/**
 * What the driver's XID codes say of a GPU. From NVIDIA's "Analyzing Xid Errors with the Xid Catalog"
 * and "Xid Errors" (docs.nvidia.com/deploy/xid-errors), by what they tell the operator to do first.
 */

/**
 * `needs reset`: only a reset of the GPU or a restart of the machine helps; `application`: nothing is to
 * be done about the GPU.
 */
export type XidMeaning = "needs reset" | "hardware" | "application";

/**
 * Engine timeout 46, double-bit ECC error 48 and what it is told with 171 172, no auxiliary power 54,
 * controller halt 62, failed row remapping 64, NVLink 74, fallen off the bus 79, uncontained memory
 * error 95, security fault 110, firmware (GSP) 119 120, link training 136, unrecovered ECC error 140,
 * initialization 143, key rotation 151, NVLink 155, retirement 156, fatal timeout 158.
 */
const NEEDS_RESET: ReadonlySet<number> = new Set([
  46, 48, 54, 62, 64, 74, 79, 95, 110, 119, 120, 136, 140, 143, 151, 155, 156, 158, 171, 172,
]);

/** Told right after the code that caused it, and so in its place. */
const NEW_RECOVERY_ACTION = 154;

/**
 * What a program does wrong, and what follows for it: bad commands 11 25 32 69 80, exceptions 13 37,
 * page faults 31, ended channels 43 45, the video decoder 68; and the two test messages, 106 107.
 */
const APPLICATION: ReadonlySet<number> = new Set([
  11, 13, 25, 31, 32, 37, 43, 45, 68, 69, 80, 106, 107,
]);

/**
 * The driver's words end in the action that it recommends now, such as "GPU recovery action changed from
 * 0x1 (GPU Reset Required) to 0x0 (None)". All others, and words that are not there, mean a reset.
 */
function meaningOfNewAction(words: string): XidMeaning {
  if (words.endsWith("(None)")) return "application";
  return words.endsWith("(Drain P2P)") ? "hardware" : "needs reset";
}

/**
 * `words`: the driver's, or none. Codes of neither list, and those that nobody knows yet, concern the
 * hardware.
 */
export function meaningOf(xid: number, words = ""): XidMeaning {
  if (xid === NEW_RECOVERY_ACTION) return meaningOfNewAction(words.trim());
  if (NEEDS_RESET.has(xid)) return "needs reset";
  return APPLICATION.has(xid) ? "application" : "hardware";
}

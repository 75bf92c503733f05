import { hash, randomBytes, timingSafeEqual } from "node:crypto";
import { crc32 } from "node:zlib";

export const ROLES = ["user", "service", "operator", "admin"] as const;
export type Role = (typeof ROLES)[number];

/** Who a request comes from. Known from its key alone, never from what the request says. */
export interface Identity {
  readonly keyId: string;
  readonly user: string;
  readonly role: Role;
}

/** One entry of auth.keys. The key itself is in no file, and in memory only while a connection shows it. */
export interface KeyEntry {
  readonly id: string;
  readonly user: string;
  readonly role: Role;
  /** SHA-256 of the key, 64 hex digits. */
  readonly sha256: string;
}

export interface KeyDirectory {
  /** How many keys are configured. */
  readonly size: number;
  /** null for a key that is not configured, over-long, or has characters no key has. */
  find(key: string): Identity | null;
}

export interface GeneratedKey {
  readonly key: string;
  /** 64 hex digits: what the config stores. */
  readonly sha256: string;
  /** Enough to tell one's own keys apart, and no help in guessing them. */
  readonly lastFour: string;
}

const PREFIX = "gr_live_";
const KEY_BYTES_MAX = 512;
const KEY_CHARACTERS = /^[A-Za-z0-9._~+/=-]+$/;

/**
 * A new key of 256 random bits. With that much entropy one SHA-256 is enough: a slow hash would
 * only let anyone with a wrong key burn our CPU.
 */
export function generateKey(): GeneratedKey {
  const body = `${PREFIX}${randomBytes(32).toString("base64url")}`;
  const key = `${body}_${checksumOf(body)}`;
  return { key, sha256: hash("sha256", key, "hex"), lastFour: key.slice(-4) };
}

/** True for a key that begins like ours and cannot be ours: a typing or copying mistake. */
export function isMistyped(key: string): boolean {
  if (!key.startsWith(PREFIX)) return false;
  const checksumAt = key.lastIndexOf("_");
  return checksumOf(key.slice(0, checksumAt)) !== key.slice(checksumAt + 1);
}

/** Throws where two entries hold the same key: it could then mean either user. */
export function createKeyDirectory(entries: readonly KeyEntry[]): KeyDirectory {
  const known = new Map<string, { readonly digest: Buffer; readonly identity: Identity }>();
  for (const { id, user, role, sha256 } of entries) {
    const digest = Buffer.from(sha256, "hex");
    const twin = known.get(digest.toString("latin1"));
    if (twin) {
      throw new Error(`auth.keys: "${twin.identity.keyId}" and "${id}" hold the same key`);
    }
    known.set(digest.toString("latin1"), { digest, identity: { keyId: id, user, role } });
  }
  return {
    size: known.size,
    find(key) {
      if (key.length > KEY_BYTES_MAX || !KEY_CHARACTERS.test(key)) return null;
      const digest = hash("sha256", key, "buffer");
      const entry = known.get(digest.toString("latin1"));
      // The look-up leaks timing about a digest, which helps nobody; the last word is constant-time.
      return entry && timingSafeEqual(digest, entry.digest) ? entry.identity : null;
    },
  };
}

function checksumOf(body: string): string {
  return crc32(body).toString(16).padStart(8, "0");
}

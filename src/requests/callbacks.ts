import { randomUUID } from "node:crypto";
import type { LookupAddress } from "node:dns";
import { buildConnector, Client } from "undici";
import type { Clock } from "../clock.ts";
import { parseRetryAfterMs } from "../retry-after.ts";
import { RouterError } from "../errors.ts";
import type { Log } from "../log.ts";
import { isPublicAddress, literalAddress } from "./callback-address.ts";
import { createLookup, type Lookup } from "./callback-lookup.ts";
import { CallbackQueue, type Callback, type Post, type PostResult } from "./callback-queue.ts";
import { LONGEST_RETRY_AFTER_MS } from "./callback-schedule.ts";
import { bodyOf, signatureHeaders, type BatchEnd, type JobEnd } from "./callback-message.ts";
import { checkCallbackUrl } from "./callback-url.ts";

/** Tells the owners of jobs that these are over: by POST, signed, again and again until it is taken. */
export interface Callbacks {
  /**
   * At the submission: the URL to hand to `send` when the job is over. Throws INVALID_REQUEST with
   * the param callback_url where it may not be called, or where nothing could be signed for the user.
   */
  check(url: string, user: string): URL;
  /** Never throws and never waits. */
  send(end: JobEnd | BatchEnd): void;
  /** Not yet delivered or given up. */
  readonly pendingCount: number;
  /** Being sent now. */
  readonly inFlightCount: number;
  /** Before the close: what is under way, or not yet sent once, gets a few seconds for one attempt. */
  finish(): Promise<void>;
  /** Ends what is under way, and forgets the rest. */
  close(): Promise<void>;
}

export interface CallbackSettings {
  /** callbacks.allowed_hosts, as `URL.hostname` spells them. */
  readonly allowedHosts: ReadonlySet<string>;
  /** Out of callbacks.secrets, by user. */
  readonly keys: ReadonlyMap<string, Buffer>;
}

export interface CallbacksDeps {
  readonly clock: Clock;
  readonly log: Log;
  /** Asked at each step, also of callbacks that wait: what was taken from the list is not called. */
  readonly settings: () => CallbackSettings;
  readonly lookup?: Lookup;
  /** Uniform in [0, 1). */
  readonly random?: () => number;
}

export function createCallbacks(deps: CallbacksDeps): Callbacks {
  const { clock, log, settings, random = Math.random } = deps;
  const { lookup = createLookup((host) => settings().allowedHosts.has(host)) } = deps;
  const sender: Sender = { clock, settings, lookup };
  const post: Post = (callback, signal) => postOnce(callback, signal, sender);
  const queue = new CallbackQueue({ clock, log, random, post });
  return {
    check(url, user) {
      const { allowedHosts, keys } = settings();
      if (keys.has(user)) return checkCallbackUrl(url, allowedHosts);
      const message =
        `callback_url needs a signing secret for the user ${user}: ` +
        `an operator adds callbacks.secrets.${user}`;
      throw new RouterError("INVALID_REQUEST", message, { param: "callback_url" });
    },
    send(end) {
      const { url, user } = end;
      const requestId = "batchId" in end ? end.batchId : end.requestId;
      queue.add({ id: `msg_${randomUUID()}`, url, user, requestId, body: bodyOf(end) });
    },
    get pendingCount() {
      return queue.pendingCount;
    },
    get inFlightCount() {
      return queue.inFlightCount;
    },
    finish: () => queue.finish(FINISH_MS),
    close: () => queue.close(),
  };
}

/** The router's own end waits no longer for other people's servers. */
const FINISH_MS = 5_000;

interface Sender {
  readonly clock: Clock;
  readonly settings: () => CallbackSettings;
  readonly lookup: Lookup;
}

/** The look-up of the name included. */
const CONNECT_TIMEOUT_MS = 2_000;
const WHOLE_TIMEOUT_MS = 15_000;
/** Read so that polite receivers can finish their answer; nobody is shown it. */
const ANSWER_BYTES_MAX = 64 * 1024;

/** One attempt. The host is looked up once, and only what was checked then is connected to. */
async function postOnce(
  callback: Callback,
  dropped: AbortSignal,
  sender: Sender,
): Promise<PostResult> {
  const { clock } = sender;
  const late = new AbortController();
  // It ends the look-up, the socket in whatever state it is, and the request.
  const signal = AbortSignal.any([dropped, late.signal]);
  const limit = (what: string, ms: number) =>
    clock.after(ms, () => late.abort(new Error(`${what} within ${ms} ms`)));
  const connecting = limit("no connection", CONNECT_TIMEOUT_MS);
  const whole = limit("no answer", WHOLE_TIMEOUT_MS);
  try {
    const addresses = await abortable(signal, addressesOf(callback.url, signal, sender));
    const connect = connectTo(addresses, signal, (address) => {
      connecting.cancel();
      checkAddress(callback.url, address, sender);
    });
    return await exchange(callback, { connect, signal, sender });
  } catch (error) {
    const cause: unknown = signal.aborted ? signal.reason : error;
    return { kind: "failed", why: reasonOf(cause), isFinal: cause instanceof FinalFailure };
  } finally {
    connecting.cancel();
    whole.cancel();
  }
}

async function exchange(
  { url, id, user, body }: Callback,
  by: { connect: buildConnector.connector; signal: AbortSignal; sender: Sender },
): Promise<PostResult> {
  const { clock, settings } = by.sender;
  const key = settings().keys.get(user);
  if (key === undefined) throw new FinalFailure(`no signing secret for the user ${user}`);
  // Undici's own limits of time are off: ours is the signal.
  const limits = { headersTimeout: 0, bodyTimeout: 0 };
  const client = new Client(url.origin, { connect: by.connect, pipelining: 0, ...limits });
  try {
    const answer = await client.request({
      method: "POST",
      path: url.pathname + url.search,
      headers: {
        "content-type": "application/json",
        "user-agent": "gpu-request-router",
        ...signatureHeaders(key, { id, wallMs: clock.wallMs(), body }),
      },
      body,
      signal: by.signal,
    });
    await readSome(answer.body);
    const retryAfter = answer.headers["retry-after"];
    return {
      kind: "answered",
      status: answer.statusCode,
      retryAfterMs: parseRetryAfterMs(retryAfter, clock, LONGEST_RETRY_AFTER_MS),
    };
  } finally {
    await client.destroy();
  }
}

/** Whatever becomes of the body, the status was said. */
async function readSome(body: AsyncIterable<Buffer>): Promise<void> {
  let bytes = 0;
  try {
    for await (const chunk of body) {
      bytes += chunk.length;
      if (bytes >= ANSWER_BYTES_MAX) return;
    }
  } catch {
    return;
  }
}

/** Every address of the host, each of them checked. An IP address in the URL is never looked up. */
async function addressesOf(
  url: URL,
  signal: AbortSignal,
  sender: Sender,
): Promise<readonly LookupAddress[]> {
  const literal = literalAddress(url.hostname);
  const addresses =
    literal === null
      ? await sender.lookup(url.hostname, signal)
      : [{ address: literal, family: literal.includes(":") ? 6 : 4 }];
  if (addresses.length === 0) throw new Error("the host has no address");
  for (const { address } of addresses) checkAddress(url, address, sender);
  return addresses;
}

/** A connector that knows no address but these. */
function connectTo(
  addresses: readonly LookupAddress[],
  signal: AbortSignal,
  onConnected: (address: string) => void,
): buildConnector.connector {
  const connect = buildConnector({
    lookup: (_hostname, _options, done) => done(null, [...addresses]),
    autoSelectFamily: true,
    signal,
    timeout: 0,
    allowH2: false,
    maxCachedSessions: 0,
  });
  return (options, done) =>
    connect(options, (error, socket) => {
      if (error !== null) return done(error, null);
      try {
        onConnected(socket.remoteAddress ?? "");
      } catch (problem) {
        socket.destroy();
        return done(problem as Error, null);
      }
      done(null, socket);
    });
}

/** One that another attempt would only repeat. */
class FinalFailure extends Error {}

function checkAddress(url: URL, address: string, { settings }: Sender): void {
  if (settings().allowedHosts.has(url.hostname) || isPublicAddress(address)) return;
  throw new FinalFailure(
    `${address} is not a public address: add the host to callbacks.allowed_hosts to allow it`,
  );
}

function abortable<Value>(signal: AbortSignal, work: Promise<Value>): Promise<Value> {
  const { promise, reject } = Promise.withResolvers<never>();
  signal.addEventListener("abort", () => reject(signal.reason as Error), { once: true });
  return Promise.race([work, promise]);
}

/** The system's messages name addresses again, and are empty where several were tried. */
function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return "failed";
  return "code" in error && typeof error.code === "string" ? error.code : error.message;
}

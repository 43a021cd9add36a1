import { type Call, copy, discard, type Fetch, isStream, type Send, toCall, transmit } from "./digest/call.ts";
import { isRefusal } from "./digest/refusal.ts";

/** How often and how long to wait. */
export interface RetryOptions {
  /**
   * Retries beyond the first try.
   * @default {2}
   */
  limit?: number | undefined;
  /**
   * The longest single wait, in ms. A `Retry-After` beyond it is not waited for.
   * @default {60_000}
   */
  maxDelay?: number | undefined;
}

const LONGEST_TIMER = 2 ** 31 - 1; // ms; a longer one fires at once
const FIRST_DELAY = 1000; // ms
const FIRST_DELAY_OF_429 = 10_000; // ms, as MongoDB advises

/**
 * A fetch that tries again where that cannot do a thing twice: after 429 for every method, after 500, 502, 503, 504 and
 * a lost connection for GET and HEAD only.
 *
 * It waits as long as `Retry-After` says plus up to a second at random, else from 1 s (429: 10 s) doubled each time,
 * with full jitter (RFC 9110 section 10.2.3). A response that is not tried again is returned as it is. A stream is
 * sent once only.
 *
 * @param options.limit Retries beyond the first try
 * @default {2}
 * @param options.maxDelay The longest single wait, in ms
 * @default {60_000}
 * @param options.fetch What sends the requests
 * @default {globalThis.fetch, looked up at each request}
 * @throws {RangeError} if `limit` is not a whole number from 0, or `maxDelay` not from 0 to 2147483647. The calls reject
 * with a `TypeError` for a connection lost for good, the runtime's error as its `cause`; for other methods than GET and
 * HEAD the message says that the call may have been executed
 *
 * @example
 * ```ts no-eval
 * import { createRetryFetch } from "atlas-fetch";
 *
 * const fetch = createRetryFetch({ limit: 4 });
 * const response = await fetch("https://example.com/");
 * ```
 */
export function createRetryFetch(options: RetryOptions & { fetch?: Fetch | undefined } = {}): Fetch {
  const send = createRetryLayer(options)((call) => transmit(options.fetch, call));
  return async (input, init) => await send(await toCall(input, init));
}

/** `createRetryFetch` behind the door, to be put around any other layer. */
export function createRetryLayer({ limit = 2, maxDelay = 60_000 }: RetryOptions): (send: Send) => Send {
  if (!Number.isInteger(limit) || limit < 0) {
    throw new RangeError("Cannot retry: limit is not a whole number from 0");
  }
  if (!(maxDelay >= 0 && maxDelay <= LONGEST_TIMER)) {
    throw new RangeError(`Cannot retry: maxDelay is not from 0 to ${LONGEST_TIMER} ms`);
  }
  return (send) => async (call) => {
    const { method, body, signal } = call.init;
    const safe = method === "GET" || method === "HEAD";
    const most = isStream(body) ? 0 : limit;
    for (let retries = 0;; retries++) {
      let delay: number | undefined;
      try {
        const response = await send(retries === 0 ? call : copy(call));
        if (retries < most) delay = delayAfter(response, safe, retries, maxDelay);
        if (delay === undefined) return response;
        await discard(response, call);
      } catch (error) {
        if (signal?.aborted || !(error instanceof TypeError) || isRefusal(error) || isMistake(call)) throw error;
        if (!safe || retries >= most) throw connectionLost(error, call, safe);
        delay = jittered(FIRST_DELAY, retries, maxDelay);
      }
      await sleep(delay, signal);
    }
  };
}

/** How long to wait before the next try, in ms; undefined if there is to be none. */
function delayAfter(
  { status, headers }: Response,
  safe: boolean,
  retries: number,
  maxDelay: number,
): number | undefined {
  if (status !== 429 && !(safe && [500, 502, 503, 504].includes(status))) return undefined;
  const asked = retryAfter(headers.get("retry-after") ?? "");
  if (asked === undefined) return jittered(status === 429 ? FIRST_DELAY_OF_429 : FIRST_DELAY, retries, maxDelay);
  // One more, since Node's timers may be a millisecond early; at random, lest parallel calls return as one wave.
  return asked > maxDelay ? undefined : Math.min(asked + 1 + Math.random() * 999, maxDelay);
}

/** `Retry-After` in ms from now (RFC 9110 section 10.2.3); undefined if it cannot be read. */
function retryAfter(value: string): number | undefined {
  if (/^\d+(\.\d+)?$/.test(value)) return Number(value) * 1000;
  // Date.parse reads much that is no HTTP-date, and asctime's form, which has no zone, as local time.
  const date = /^[A-Z][a-z]{2,8},? .+ \d\d:\d\d:\d\d\b/.test(value)
    ? Date.parse(value.replace(/( GMT)?$/, " GMT"))
    : NaN;
  return Number.isNaN(date) ? undefined : Math.max(0, date - Date.now());
}

function jittered(first: number, retries: number, maxDelay: number): number {
  return Math.random() * Math.min(first * 2 ** retries, maxDelay);
}

/** Whether fetch refuses the init itself, such as a `mode` that there is not: its TypeError is not the network's. */
function isMistake({ url, init }: Call): boolean {
  try {
    new Request(url, { ...init, body: null, signal: null });
    return false;
  } catch {
    return true;
  }
}

/** What fetch rejects with on Node and Deno, on Bun too: a TypeError with a cause. */
function connectionLost(error: TypeError, { url, init: { method } }: Call, safe: boolean): TypeError {
  if (safe && error.cause !== undefined) return error;
  const place = `${method} ${url.origin}${url.pathname}`;
  const message = safe
    ? `Cannot ${place}: ${error.message}`
    : `Connection lost: ${place} may have been executed. Look before you send it again`;
  return new TypeError(message, { cause: error.cause ?? error });
}

async function sleep(ms: number, signal: AbortSignal | null): Promise<void> {
  await new Promise<void>((resolve) => {
    const timer = setTimeout(end, ms);
    signal?.addEventListener("abort", end);
    function end() {
      clearTimeout(timer);
      signal?.removeEventListener("abort", end);
      resolve();
    }
  });
  signal?.throwIfAborted();
}

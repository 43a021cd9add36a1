import {
  type Call,
  copy,
  discard,
  type Fetch,
  isSafe,
  isStream,
  layer,
  transmit,
  unlessAborted,
} from "./digest/call.ts";
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

/**
 * A fetch that tries again where that cannot do a thing twice: after 429 for every method, after 500, 502, 503, 504 and
 * a lost connection for GET and HEAD only.
 *
 * It waits as long as `Retry-After` says plus up to a second at random, else from 1 s (429: 10 s) doubled each time,
 * with full jitter (RFC 9110 section 10.2.3). A response that is not tried again is returned as it is. A stream is
 * sent once only. Put it around a fetch that authenticates, not inside one: then each try is signed anew.
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
export function createRetryFetch(
  { limit = 2, maxDelay = 60_000, fetch }: RetryOptions & { fetch?: Fetch | undefined } = {},
): Fetch {
  const FIRST_DELAY = 1000; // ms
  const FIRST_DELAY_OF_429 = 10_000; // ms, as MongoDB advises
  if (!(Number.isInteger(limit) && limit >= 0 && maxDelay >= 0 && maxDelay <= LONGEST_TIMER)) {
    throw new RangeError(`Cannot retry: limit must be a whole number from 0, maxDelay 0 to ${LONGEST_TIMER} ms`);
  }

  /** At random, lest parallel calls return as one wave. */
  function jittered(first: number, retries: number): number {
    return Math.random() * Math.min(first * 2 ** retries, maxDelay);
  }

  /** How long to wait before the next try, in ms; undefined if there is to be none. */
  function delayAfter({ status, headers, redirected }: Response, safe: boolean, retries: number): number | undefined {
    // A POST that was redirected may have been executed before the 429.
    if (safe ? ![429, 500, 502, 503, 504].includes(status) : status !== 429 || redirected) return undefined;
    const asked = retryAfter(headers.get("retry-after") ?? "");
    if (isNaN(asked)) return jittered(status === 429 ? FIRST_DELAY_OF_429 : FIRST_DELAY, retries);
    // One more, since Node's timers may be a millisecond early.
    return asked > maxDelay ? undefined : Math.min(asked + 1 + Math.random() * 999, maxDelay);
  }

  return layer(false, async (call) => {
    const { url, method, body, signal } = call;
    const safe = isSafe(method);
    const isSigned = call.headers.has("authorization");
    const most = isStream(body) ? 0 : limit;
    for (let retries = 0;; retries++) {
      let delay: number | undefined;
      try {
        const attempt = retries ? copy(call) : call;
        if (retries && !isSigned) attempt.headers.delete("authorization"); // of the try before
        const response = await transmit(fetch, attempt);
        if (retries < most) delay = delayAfter(response, safe, retries);
        if (delay === undefined) return response;
        await discard(response, call);
      } catch (error) {
        if (signal?.aborted || !(error instanceof TypeError) || isRefusal(error) || isMistake(call)) throw error;
        if (!safe || retries >= most) {
          const fate = safe ? `: ${error.message}` : " may have been executed. Look before you send it again";
          throw new TypeError(`Connection lost: ${method} ${url.origin}${url.pathname}${fate}`, {
            cause: error.cause ?? error, // Bun's has none
          });
        }
        delay = jittered(FIRST_DELAY, retries);
      }
      let timer: ReturnType<typeof setTimeout> | undefined;
      const pause = new Promise((resolve) => timer = setTimeout(resolve, delay));
      await unlessAborted(pause, signal).finally(() => clearTimeout(timer));
    }
  });
}

/** `Retry-After` in ms from now (RFC 9110 section 10.2.3); NaN if it cannot be read. */
function retryAfter(value: string): number {
  if (/^\d+(\.\d+)?$/.test(value)) return Number(value) * 1000;
  // Date.parse reads much that is no HTTP-date, and asctime's form, which has no zone, as local time.
  return /^[A-Z].+ \d\d:\d\d:\d\d\b/.test(value)
    ? Math.max(0, Date.parse(value.replace(/( GMT)?$/, " GMT")) - Date.now())
    : NaN;
}

/**
 * Whether fetch refuses the init itself, such as a `mode` that there is not, or the redirect that it is to refuse: its
 * TypeError is not the network's.
 */
function isMistake(call: Call): boolean {
  try {
    new Request(call.url, { ...call, body: null, signal: null });
    return call.redirect === "error" && isSafe(call.method);
  } catch {
    return true;
  }
}

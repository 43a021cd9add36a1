import { type Call, discard, door, type Fetch, isGetOrHead, isStream, type Send, wire } from "./digest/call.ts";
import { connectionFailure, tellingError } from "./digest/connection.ts";
import { followRedirects } from "./digest/redirect.ts";
import { pause } from "./pause.ts";

/** Options of retrying. */
export interface RetryOptions {
  /**
   * How many retries.
   * @default {2}
   */
  limit?: number | undefined;
  /**
   * The longest wait, in ms. A longer `Retry-After` is not waited for.
   * @default {60_000}
   */
  maxDelay?: number | undefined;
}

/** Options of `createRetryFetch`. */
export interface RetryFetchOptions extends RetryOptions {
  /**
   * Sends the requests.
   * @default {globalThis.fetch, looked up at each request}
   */
  fetch?: Fetch | undefined;
}

const FIRST_DELAY = 1000; // ms
const FIRST_DELAY_OF_429 = 10_000; // ms, by MongoDB's advice
const MAX_TIMER = 2 ** 31 - 1; // ms; a longer one is due at once

/**
 * A fetch that retries only what is safe to repeat: after a 429 and a connection that was never made every method, after
 * 500, 502, 503, 504 and a lost connection GET and HEAD; a stream never.
 *
 * It waits for `Retry-After` and up to a second more, else from 1 s (429: 10 s) doubled each time, with full jitter. Put it
 * around a fetch that authenticates, so that each try is signed anew.
 *
 * @param options
 * @throws {RangeError} if `limit` is no whole number from 0, or `maxDelay` not from 0 to 2147483647. Calls reject as with
 * fetch; a `TypeError` tells of one that may have been executed
 */
export function createRetryFetch(options: RetryFetchOptions = {}): Fetch {
  const { fetch } = options;
  const send = retry(options, wire(fetch));
  // The global fetch would not tell which request of a chain failed; one that authenticates must see where it leads.
  return door(fetch ? send : followRedirects(send, send));
}

export function retry({ limit = 2, maxDelay = 60_000 }: RetryOptions, send: Send): Send {
  const isInRange = Number.isInteger(limit) && limit >= 0 && maxDelay >= 0 && maxDelay <= MAX_TIMER;
  if (!isInRange) {
    throw new RangeError(`Cannot retry: limit must be a whole number from 0, maxDelay 0 to ${MAX_TIMER} ms`);
  }

  /** Lest calls come back as one wave. */
  function jittered(firstDelay: number, retries: number): number {
    return Math.random() * Math.min(firstDelay * 2 ** retries, maxDelay);
  }

  /** In ms, if there is to be a retry. */
  function delayAfter(
    { status, headers, redirected }: Response,
    { method }: Call,
    retries: number,
  ): number | undefined {
    const isTransient = [429, 500, 502, 503, 504].includes(status);
    // What redirected may have been executed.
    const isSafeToRepeat = isGetOrHead(method) || (status === 429 && !redirected);
    if (!isTransient || !isSafeToRepeat) return undefined;
    const asked = retryAfter(headers.get("retry-after") ?? "");
    if (isNaN(asked)) return jittered(status === 429 ? FIRST_DELAY_OF_429 : FIRST_DELAY, retries);
    // 1 ms, since Node's timers may be early.
    return asked > maxDelay ? undefined : Math.min(asked + 1 + Math.random() * 999, maxDelay);
  }

  return async function sendRetrying(call) {
    const { url, method, body, signal } = call;
    const maxRetries = isStream(body) ? 0 : limit;
    for (let retries = 0;; retries++) {
      const isLast = retries === maxRetries;
      let delay: number | undefined;
      call.isSent = false;
      try {
        const response = await send(call);
        delay = isLast ? undefined : delayAfter(response, call, retries);
        if (delay === undefined) return response;
        await discard(response, call);
      } catch (error) {
        const failure = signal?.aborted ? undefined : connectionFailure(error);
        const mayBeExecuted = failure === "lost" && call.isSent && !isGetOrHead(method);
        if (mayBeExecuted) {
          const said = `${method} ${url.origin}${url.pathname} may have been executed (${reasonOf(error)})`;
          throw new TypeError(`Connection lost: ${said}. Look before you send it again`, { cause: error });
        }
        if (!failure || isLast) throw error;
        delay = jittered(FIRST_DELAY, retries);
      }
      await pause(delay, signal);
    }
  };
}

/** Without Deno's URL. */
function reasonOf(error: unknown): string {
  const { message, code } = tellingError(error);
  const words = String(message).replace(/^.*client error \(\w+\): |\..*/gs, "");
  return words || String(code);
}

/** `Retry-After` in ms (RFC 9110 section 10.2.3), or NaN. */
export function retryAfter(value: string): number {
  if (/^\d+(\.\d+)?$/.test(value)) return Number(value) * 1000;
  // Date.parse reads more, and asctime's form as local time.
  const isDate = /^[A-Z].+ \d\d:\d\d:\d\d\b/.test(value);
  return isDate ? Math.max(0, Date.parse(value.replace(/( GMT)?$/, " GMT")) - Date.now()) : NaN;
}

import { discard, door, type Fetch, isStream, type Send, unlessAborted, unsigned, wire } from "./digest/call.ts";
import { followRedirects } from "./digest/redirect.ts";
import { isToken } from "./json.ts";
import type { TokenSource } from "./token_source.ts";

/** Options of `createBearerFetch`. */
export interface BearerFetchOptions {
  /** Of `createTokenSource`, or your own. */
  token: TokenSource;
  /**
   * Sends the requests.
   * @default {globalThis.fetch, looked up at each request}
   */
  fetch?: Fetch | undefined;
}

/**
 * A fetch that sends `Authorization: Bearer` with a token from a source (RFC 6750 section 2.1).
 *
 * The token goes to any URL, and over redirects as with fetch. A 401 is answered once with a renewed token, unless it has an
 * `X-Error-Code` (a role is missing), or the body is a stream.
 *
 * @param options
 * @throws {TypeError} without a token source. Calls reject with one for an `Authorization` header and for a token that no
 * header can hold; and with what the source throws
 */
export function createBearerFetch(options: BearerFetchOptions): Fetch {
  const { token, fetch }: Partial<BearerFetchOptions> = options ?? {};
  if (typeof token !== "function") throw new TypeError("Cannot authenticate: token is missing, or is no function");
  const network = wire(fetch);
  const send = followRedirects(bearer(token, network), network);
  return door((call) => send(unsigned(call)));
}

export function bearer(token: TokenSource, send: Send): Send {
  return async function sendBearer(call) {
    const { headers, body } = call;
    const signal = call.signal ?? undefined;
    const authorize = (token: string) => {
      // Headers would show it.
      if (!isToken(token)) throw new TypeError("Cannot use the access token: it is empty or no header can hold it");
      headers.set("authorization", `Bearer ${token}`);
    };
    const refused = await unlessAborted(token({ signal }), signal);
    authorize(refused);
    const response = await send(call);
    const isRefused = response.status === 401 && !response.headers.has("x-error-code");
    if (!isRefused) return response;
    const renewed = await unlessAborted(token({ refused, signal }), signal).catch(async (error) => {
      await discard(response, call);
      throw error;
    });
    if (renewed === refused || isStream(body)) return response;
    await discard(response, call);
    authorize(renewed);
    return await send(call);
  };
}

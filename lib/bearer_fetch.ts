import { copy, discard, type Fetch, isSafe, isStream, isToken, layer, transmit, unlessAborted } from "./digest/call.ts";
import { refusal } from "./digest/refusal.ts";
import type { TokenSource } from "./token_source.ts";

/**
 * A fetch that sends `Authorization: Bearer` with a token from a source (RFC 6750 section 2.1).
 *
 * The token goes to whatever URL the fetch is given, and over redirects as the native fetch does it: not to another
 * origin. A 401 is answered once with a renewed token, unless it has an `X-Error-Code` (a missing role, which no new
 * token would change). A stream cannot be sent again, nor a POST that was redirected, which may have been executed:
 * their 401 is returned, and the next call has the renewed token.
 *
 * @param options.token Where the tokens come from, such as `createTokenSource`
 * @param options.fetch What sends the requests
 * @default {globalThis.fetch, looked up at each request}
 * @throws {TypeError} The calls reject with one for a caller's `Authorization` header and for a token that no header
 * can hold; and with whatever the source throws
 *
 * @example
 * ```ts no-eval
 * import { createBearerFetch, createTokenSource } from "atlas-fetch";
 *
 * const token = createTokenSource({ clientId: "mdb_sa_id_...", clientSecret: "mdb_sa_sk_..." });
 * const fetch = createBearerFetch({ token });
 * const response = await fetch("https://cloud.mongodb.com/api/atlas/v2/groups", {
 *   headers: { accept: "application/vnd.atlas.2025-03-12+json" },
 * });
 * ```
 */
export function createBearerFetch({ token, fetch }: { token: TokenSource; fetch?: Fetch | undefined }): Fetch {
  return layer(true, async (call) => {
    const signal = call.signal ?? undefined;
    const refused = await unlessAborted(token({ signal }), signal);
    authorize(call.headers, refused);
    const response = await transmit(fetch, call);
    const isFinal = response.status !== 401 || response.headers.has("x-error-code");
    // Over a redirect to another origin the token was never seen.
    if (isFinal || (response.redirected && new URL(response.url).origin !== call.url.origin)) return response;
    const renewed = await unlessAborted(token({ refused, signal }), signal);
    if (renewed === refused || isStream(call.body) || (response.redirected && !isSafe(call.method))) return response;
    await discard(response, call);
    const again = copy(call);
    authorize(again.headers, renewed);
    return await transmit(fetch, again);
  });
}

function authorize(headers: Headers, token: string): void {
  // Headers would refuse it too, with the token in the message.
  if (!isToken(token)) throw refusal("Cannot use the access token: it is empty or no header can hold it");
  headers.set("authorization", `Bearer ${token}`);
}

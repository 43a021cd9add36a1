/**
 * HTTP Digest authentication over the built-in fetch, for any server: RFC 7616, 2617 and 2069 with MD5, SHA-256 and
 * SHA-512-256.
 *
 * @example
 * ```ts no-eval
 * import { createDigestFetch } from "atlas-fetch/digest";
 *
 * const fetch = createDigestFetch({ username: "ada", password: "lovelace" });
 * const response = await fetch("http://192.0.2.1/axis-cgi/param.cgi?action=list");
 * console.log(response.status, await response.text());
 * ```
 *
 * @module
 */
export { digestAuthorization, type DigestRequest } from "./authorization.ts";
export type { Fetch } from "./call.ts";
export { type Challenge, type DigestChallenge, findDigestChallenge, parseChallenges } from "./challenge.ts";
export type { HashName } from "./hash.ts";
export { createDigestFetch } from "./digest_fetch.ts";

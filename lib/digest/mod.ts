/**
 * HTTP Digest authentication over the built-in fetch, for any server: RFC 7616, 2617 and 2069 with MD5, SHA-256 and
 * SHA-512-256. Begin with {@linkcode createDigestFetch}.
 *
 * @module
 */
export { digestAuthorization, type DigestRequest } from "./authorization.ts";
export type { Fetch } from "./call.ts";
export { type Challenge, type DigestChallenge, findDigestChallenge, parseChallenges } from "./challenge.ts";
export { createDigestFetch, type DigestFetchOptions } from "./digest_fetch.ts";
export type { HashName } from "./hash.ts";

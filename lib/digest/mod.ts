/**
 * HTTP Digest authentication over the built-in fetch, for any server: begin with `createDigestFetch`.
 *
 * @module
 */
export { digestAuthorization, type DigestRequest } from "./authorization.ts";
export type { Fetch } from "./call.ts";
export { type Challenge, type DigestChallenge, findDigestChallenge, parseChallenges } from "./challenge.ts";
export { createDigestFetch, type DigestFetchOptions } from "./digest_fetch.ts";
export type { HashName } from "./hash.ts";

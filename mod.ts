/**
 * fetch for the MongoDB Atlas Administration API, and for any server that wants Digest.
 *
 * @example
 * ```ts no-eval
 * import { atlasFetch, ensureOk } from "atlas-fetch";
 *
 * // MONGODB_ATLAS_PUBLIC_API_KEY and MONGODB_ATLAS_PRIVATE_API_KEY are set
 * const response = await ensureOk(atlasFetch("/groups"));
 * console.log(await response.json());
 * ```
 *
 * @module
 */
export { digestAuthorization, type DigestRequest } from "./lib/digest/authorization.ts";
export type { Fetch } from "./lib/digest/call.ts";
export { type Challenge, type DigestChallenge, findDigestChallenge, parseChallenges } from "./lib/digest/challenge.ts";
export { createDigestFetch, type DigestFetchOptions } from "./lib/digest/digest_fetch.ts";
export type { HashName } from "./lib/digest/hash.ts";
export { AtlasError, type AtlasErrorFacts, ensureOk } from "./lib/atlas_error.ts";
export {
  type AccessToken,
  type ApiKey,
  type AtlasFetch,
  atlasFetch,
  type AtlasFetchOptions,
  type AtlasRequestInit,
  createAtlasFetch,
  type ServiceAccount,
} from "./lib/atlas_fetch.ts";
export { type BearerFetchOptions, createBearerFetch } from "./lib/bearer_fetch.ts";
export { paginate } from "./lib/paginate.ts";
export { createRetryFetch, type RetryFetchOptions, type RetryOptions } from "./lib/retry_fetch.ts";
export {
  createTokenSource,
  type TokenRequest,
  type TokenSource,
  type TokenSourceOptions,
  type TokenStore,
} from "./lib/token_source.ts";

/** The options of the fake Atlas. Each part of it reads its own, and has their defaults. */
import type { ApiKey, ServiceAccount } from "../atlas_fetch.ts";

/** Options of {@linkcode createFakeAtlas}. Durations are measured with `Date.now()`. */
export interface FakeAtlasOptions {
  /** The only API key that is accepted. @default {a random one} */
  credentials?: ApiKey | undefined;
  /** The only service account that can get access tokens. @default {none} */
  serviceAccount?: ServiceAccount | undefined;
  /** How long a Digest nonce is valid, in ms; with 0 it is stale at once. @default {60_000} */
  nonceLifetime?: number | undefined;
  /** How many times a Digest nonce can be used. @default {1024} */
  nonceUses?: number | undefined;
  /** How long an access token is valid, in ms. @default {3_600_000} */
  tokenLifetime?: number | undefined;
  /** How many access tokens can be minted in any 60 s; the next is a 429 `RATE_LIMITED`. @default {50} */
  mintsPerMinute?: number | undefined;
  /**
   * The token bucket that all authenticated requests share; an empty one is a 429 `RATE_LIMITED_TOKEN_BUCKET`.
   * @default {no limit}
   */
  rateLimit?: FakeRateLimit | undefined;
  /**
   * The caller's IP address, if it is not to be on the access list: authenticated requests are then answered 403
   * `IP_ADDRESS_NOT_ON_ACCESS_LIST`. As with Atlas, access tokens can still be minted.
   * @default {none}
   */
  refusedAddress?: string | undefined;
  /** How many projects there are at first. @default {3} */
  projects?: number | undefined;
  /** How long a cluster is CREATING, UPDATING or DELETING, in ms. @default {100} */
  clusterDelay?: number | undefined;
  /**
   * The answers to the first authenticated requests, whatever these ask for; each is used once, in order.
   * `Response.error()` loses the connection. More can be pushed onto the same array later.
   * @default {[]}
   */
  answers?: Response[] | undefined;
  /**
   * Answers what the fake does not, or answers it differently. It is called with each authenticated request that the
   * options above let through, and can read its body; `undefined` leaves the request to the fake. If it throws, the
   * call rejects with that error; over HTTP, a 500 tells it.
   * @default {none}
   */
  respond?: ((request: Request) => Response | undefined | Promise<Response | undefined>) | undefined;
}

/** A token bucket: each request takes a token. */
export interface FakeRateLimit {
  /** How many tokens it can hold, and holds at first. */
  capacity: number;
  /** How many tokens are added, evenly, in 60 s. */
  refillPerMinute: number;
}

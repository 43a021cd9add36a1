/** One token bucket for all requests. */
import type { FakeAtlasOptions } from "./options.ts";
import { atlasError } from "./refusals.ts";

/** Takes a token for a request to this path; gives the 429 if there is none. */
export type RateLimiter = (pathname: string) => Response | undefined;

export function createRateLimiter({ rateLimit }: FakeAtlasOptions): RateLimiter {
  if (rateLimit === undefined) return () => undefined;
  const { capacity, refillPerMinute } = rateLimit;
  let tokens = capacity;
  let refilledAt = Date.now();

  return (pathname) => {
    const now = Date.now();
    tokens = Math.min(capacity, tokens + (now - refilledAt) * refillPerMinute / 60_000);
    refilledAt = now;
    if (tokens >= 1) {
      tokens--;
      return undefined;
    }
    // At most an hour, also where nothing is ever added.
    const wait = Math.min(Math.ceil((1 - tokens) * 60 / refillPerMinute), 3600);
    const response = atlasError(
      429,
      "RATE_LIMITED_TOKEN_BUCKET",
      `Rate limit exceeded for ${pathname.slice(1)}. Please retry after ${wait} seconds. ` +
        `Request capacity: ${capacity}. Refill rate: ${refillPerMinute} per 60 seconds.`,
    );
    response.headers.set("Retry-After", String(wait));
    response.headers.set("RateLimit-Limit", String(capacity));
    response.headers.set("RateLimit-Remaining", "0");
    return response;
  };
}

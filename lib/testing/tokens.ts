/** OAuth from the server's side: the access tokens of one service account. */
import { Buffer } from "node:buffer";
import { randomBytes } from "node:crypto";
import type { FakeAtlasOptions } from "./options.ts";
import { atlasError, methodNotAllowed, unauthorized } from "./refusals.ts";

const MAX_VALID_TOKENS = 100;

export interface AuthorizationServer {
  /** Answers `/api/oauth/token`. */
  mint(request: Request, body: string): Response;
  /** Answers `/api/oauth/revoke`. */
  revoke(request: Request, body: string): Response;
  /** Gives the 401 for a token that is unknown, revoked or expired, and undefined for one that may pass. */
  check(token: string): Response | undefined;
}

export function createAuthorizationServer(
  { serviceAccount, tokenLifetime = 3_600_000, mintsPerMinute = 50 }: FakeAtlasOptions,
): AuthorizationServer {
  const expiries = new Map<string, number>();
  let mints: number[] = [];

  function isServiceAccount(request: Request): boolean {
    if (serviceAccount === undefined) return false;
    // RFC 6749 section 2.3.1 wants both percent-encoded; Atlas does not.
    const expected = Buffer.from(`${serviceAccount.clientId}:${serviceAccount.clientSecret}`).toString("base64");
    return /^Basic +(\S+)$/i.exec(request.headers.get("Authorization") ?? "")?.[1] === expected;
  }

  /** Gives what is wrong with a request to either path. */
  function refuse(request: Request): Response | undefined {
    if (request.method !== "POST") return methodNotAllowed(request);
    if (!isServiceAccount(request)) return oauthError(401, "invalid_client", "Invalid credentials provided.");
    const isForm = /^application\/x-www-form-urlencoded *(;|$)/i.test(request.headers.get("Content-Type") ?? "");
    return isForm ? undefined : oauthError(400, "invalid_request", "The body must be a URL-encoded form.");
  }

  return {
    mint(request, body) {
      const refusal = refuse(request);
      if (refusal !== undefined) return refusal;
      if (new URLSearchParams(body).get("grant_type") !== "client_credentials") {
        return oauthError(400, "invalid_request", "The grant_type must be client_credentials.");
      }
      const now = Date.now();
      mints = mints.filter((time) => now - time < 60_000);
      const [oldest = now] = mints;
      if (mints.length >= mintsPerMinute) return tooManyMints(oldest + 60_000 - now);
      for (const [token, expiry] of expiries) if (expiry <= now) expiries.delete(token);
      if (expiries.size >= MAX_VALID_TOKENS) {
        const detail = `Access Token limit reached: this service account has ${MAX_VALID_TOKENS} valid tokens.`;
        return oauthError(403, "access_denied", detail);
      }

      const token = randomBytes(32).toString("base64url");
      mints.push(now);
      expiries.set(token, now + tokenLifetime);
      const expiresIn = Math.ceil(tokenLifetime / 1000);
      return oauthAnswer(200, { access_token: token, expires_in: expiresIn, token_type: "Bearer" });
    },

    revoke(request, body) {
      const refusal = refuse(request);
      if (refusal !== undefined) return refusal;
      const token = new URLSearchParams(body).get("token");
      if (token === null) return oauthError(400, "invalid_request", "The token is missing.");
      // An unknown token is not an error: RFC 7009 section 2.2.
      expiries.delete(token);
      return new Response(null, { status: 200 });
    },

    check(token) {
      return Date.now() < (expiries.get(token) ?? 0) ? undefined : unauthorized();
    },
  };
}

function tooManyMints(delay: number): Response {
  const wait = Math.ceil(delay / 1000);
  const detail = `Too many access tokens were requested. Please retry after ${wait} seconds.`;
  const response = atlasError(429, "RATE_LIMITED", detail);
  response.headers.set("Retry-After", String(wait));
  return response;
}

function oauthError(status: number, error: string, description: string): Response {
  return oauthAnswer(status, { error, error_description: description });
}

function oauthAnswer(status: number, value: unknown): Response {
  const headers = { "Content-Type": "application/json", "Cache-Control": "no-store" };
  return new Response(JSON.stringify(value), { status, headers });
}

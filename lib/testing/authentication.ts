/**
 * Who may ask: Digest with the nonce rules of Jetty's DigestAuthenticator, whose wording Atlas's challenge has, and the
 * access tokens of one service account. Written from the server's side, sharing nothing with the client.
 */
import { createHash, randomBytes, timingSafeEqual } from "node:crypto";
import { atlasError, methodNotAllowed } from "./world.ts";

const REALM = "MMS Public API";

/** Bounds the memory; the oldest is forgotten first, which its holder sees as `stale=true`. */
const MAX_NONCES = 4096;

export interface DigestRules {
  publicKey: string;
  privateKey: string;
  nonceLifetime: number;
  nonceUses: number;
}

interface Nonce {
  issued: number;
  /** A set, not a highest number: counts may arrive out of order, but none twice. */
  seen: Set<number>;
}

/** Gives the 401 for a request that is not signed, or not rightly, and undefined for one that may pass. */
export type DigestGuard = (request: Request, target: string) => Response | undefined;

export function createDigestGuard(rules: DigestRules): DigestGuard {
  const { publicKey, privateKey, nonceLifetime, nonceUses } = rules;
  const ha1 = createHash("md5").update(`${publicKey}:${REALM}:${privateKey}`).digest("hex");
  const nonces = new Map<string, Nonce>();

  function issueNonce(): string {
    for (const [nonce, { issued }] of nonces) {
      if (nonces.size < MAX_NONCES && Date.now() - issued < nonceLifetime) break;
      nonces.delete(nonce);
    }
    const nonce = randomBytes(24).toString("base64");
    nonces.set(nonce, { issued: Date.now(), seen: new Set() });
    return nonce;
  }

  function judge(method: string, target: string, authorization: string): Verdict {
    const params = parseDigest(authorization);
    const nonceValue = params.get("nonce") ?? "";
    const nc = params.get("nc") ?? "";
    const cnonce = params.get("cnonce") ?? "";
    const wellFormed = params.get("realm") === REALM && params.get("uri") === target &&
      params.get("qop") === "auth" && cnonce !== "" && /^[0-9a-f]{8}$/.test(nc) &&
      // Clients of MongoDB's own tutorial leave it out.
      (params.get("algorithm") ?? "MD5") === "MD5";
    const count = parseInt(nc, 16);
    if (!wellFormed || count === 0) return "refused";

    // As in Jetty the nonce is judged, and the count used up, before the password.
    const nonce = nonces.get(nonceValue);
    if (nonce === undefined || Date.now() - nonce.issued >= nonceLifetime) return "stale";
    if (count > nonceUses) return "stale";
    if (nonce.seen.has(count)) return "refused";
    nonce.seen.add(count);

    const ha2 = md5(`${method}:${target}`);
    const expected = md5(`${ha1}:${nonceValue}:${nc}:${cnonce}:auth:${ha2}`);
    const known = sameText(params.get("username") ?? "", byteString(publicKey));
    return sameText(params.get("response") ?? "", expected) && known ? "passed" : "refused";
  }

  return (request, target) => {
    const verdict = judge(request.method, target, request.headers.get("Authorization") ?? "");
    if (verdict === "passed") return undefined;
    return unauthorized(
      `Digest realm="${REALM}", domain="", nonce="${issueNonce()}", algorithm=MD5, qop="auth", ` +
        `stale=${verdict === "stale"}`,
    );
  };
}

type Verdict = "passed" | "refused" | "stale";

/** One auth-param of RFC 9110 section 11.2 and the comma behind it. */
const AUTH_PARAM =
  /[\t ]*([!#$%&'*+\-.^_`|~\w]+)[\t ]*=[\t ]*(?:"((?:[^"\\]|\\.)*)"|([!#$%&'*+\-.^_`|~\w]+))[\t ]*(?:,|$)/gy;

/** Gives the parameters by lower-cased name; none at all if anything is malformed or repeated. */
function parseDigest(authorization: string): Map<string, string> {
  const params = new Map<string, string>();
  let repeated = false;
  const [, input = ""] = /^Digest +(.*)$/i.exec(authorization) ?? [];
  const rest = input.replace(
    AUTH_PARAM,
    (_match: string, name: string, quoted: string | undefined, token: string | undefined) => {
      const key = name.toLowerCase();
      repeated ||= params.has(key);
      params.set(key, token ?? String(quoted).replace(/\\(.)/g, "$1"));
      return "";
    },
  );
  return rest === "" && !repeated ? params : new Map();
}

export interface TokenRules {
  serviceAccount: { readonly clientId: string; readonly clientSecret: string } | undefined;
  tokenLifetime: number;
  mintsPerMinute: number;
}

export interface TokenDesk {
  /** Answers `/api/oauth/token`. */
  mint(request: Request, body: ArrayBuffer): Response;
  /** Answers `/api/oauth/revoke`. */
  revoke(request: Request, body: ArrayBuffer): Response;
  /** Gives the 401 for a token that does not live, and undefined for one that does. */
  check(token: string): Response | undefined;
}

export function createTokenDesk(rules: TokenRules): TokenDesk {
  const { serviceAccount, tokenLifetime, mintsPerMinute } = rules;
  // Raw: Atlas does not want the two percent-encoded, as RFC 6749 section 2.3.1 does.
  const basic = serviceAccount &&
    btoa(byteString(`${serviceAccount.clientId}:${serviceAccount.clientSecret}`));
  const ends = new Map<string, number>();
  let mints: number[] = [];

  /** The form that the service account sent, or what it is answered instead. */
  function readForm(request: Request, body: ArrayBuffer): URLSearchParams | Response {
    if (request.method !== "POST") return methodNotAllowed(request);
    const sent = /^Basic +(\S+)$/i.exec(request.headers.get("Authorization") ?? "")?.[1];
    if (basic === undefined || sent === undefined || !sameText(sent, basic)) {
      return oauthError(401, "invalid_client", "Invalid credentials provided.");
    }
    const type = request.headers.get("Content-Type") ?? "";
    if (!/^application\/x-www-form-urlencoded *(;|$)/i.test(type)) {
      return oauthError(400, "invalid_request", "The body must be a URL-encoded form.");
    }
    return new URLSearchParams(new TextDecoder().decode(body));
  }

  return {
    mint(request, body) {
      const form = readForm(request, body);
      if (form instanceof Response) return form;
      if (form.get("grant_type") !== "client_credentials") {
        return oauthError(400, "invalid_request", "The grant_type must be client_credentials.");
      }
      const now = Date.now();
      mints = mints.filter((time) => now - time < 60_000);
      if (mints.length >= mintsPerMinute) {
        const wait = Math.max(1, Math.ceil(((mints[0] ?? now) + 60_000 - now) / 1000));
        return atlasError(
          429,
          "RATE_LIMITED",
          `Too many access tokens were requested. Please retry after ${wait} seconds.`,
          { headers: { "Retry-After": String(wait) } },
        );
      }
      mints.push(now);
      for (const [token, end] of ends) if (end <= now) ends.delete(token);
      const token = randomBytes(32).toString("base64url");
      ends.set(token, now + tokenLifetime);
      return oauthAnswer(200, {
        access_token: token,
        expires_in: Math.ceil(tokenLifetime / 1000),
        token_type: "Bearer",
      });
    },

    revoke(request, body) {
      const form = readForm(request, body);
      if (form instanceof Response) return form;
      const token = form.get("token");
      if (token === null) return oauthError(400, "invalid_request", "The token is missing.");
      // An unknown one is no error: RFC 7009 section 2.2.
      ends.delete(token);
      return new Response(null, { status: 200 });
    },

    check(token) {
      return Date.now() < (ends.get(token) ?? 0) ? undefined : unauthorized();
    },
  };
}

/** Atlas's 401 for no or wrong credentials: the one error without `X-Error-Code`. */
function unauthorized(challenge?: string): Response {
  const response = atlasError(
    401,
    "UNEXPECTED_ERROR",
    "You are not authorized for this resource.",
  );
  response.headers.delete("X-Error-Code");
  if (challenge !== undefined) response.headers.set("WWW-Authenticate", challenge);
  return response;
}

function oauthError(status: number, error: string, description: string): Response {
  return oauthAnswer(status, { error, error_description: description });
}

function oauthAnswer(status: number, value: unknown): Response {
  return new Response(JSON.stringify(value), {
    status,
    headers: { "Content-Type": "application/json", "Cache-Control": "no-store" },
  });
}

function md5(text: string): string {
  return createHash("md5").update(text, "latin1").digest("hex");
}

/** Compares without telling by the time how much was right. */
function sameText(left: string, right: string): boolean {
  const digest = (text: string) => createHash("sha256").update(text, "latin1").digest();
  return timingSafeEqual(digest(left), digest(right));
}

/** The UTF-8 bytes of a text as a header value holds them: one character a byte. */
function byteString(text: string): string {
  return String.fromCharCode(...new TextEncoder().encode(text));
}

/**
 * HTTP Digest from the server's side, sharing nothing with the client: MD5, `auth`, and nonces by the rules of Jetty's
 * DigestAuthenticator, whose wording Atlas's challenge has.
 */
import { Buffer } from "node:buffer";
import { createHash, randomBytes } from "node:crypto";
import type { ApiKey } from "../atlas_fetch.ts";
import type { FakeAtlasOptions } from "./options.ts";
import { unauthorized } from "./refusals.ts";

const REALM = "MMS Public API";

/** Gives the 401 for a request that is not signed, or wrongly, and undefined for one that may pass. */
export type DigestGuard = (request: Request, target: string) => Response | undefined;

interface Nonce {
  issuedAt: number;
  /** A set, not the highest: counts may arrive in any order, but none twice. */
  counts: Set<number>;
}

type Verdict = "passed" | "refused" | "stale";

export function createDigestGuard(
  { publicKey, privateKey }: ApiKey,
  { nonceLifetime = 60_000, nonceUses = 1024 }: FakeAtlasOptions,
): DigestGuard {
  const username = byteString(publicKey);
  const ha1 = md5(byteString(`${publicKey}:${REALM}:${privateKey}`));
  const nonces = new Map<string, Nonce>();

  const isExpired = ({ issuedAt }: Nonce) => Date.now() - issuedAt >= nonceLifetime;

  function issueNonce(): string {
    for (const [value, nonce] of nonces) {
      if (!isExpired(nonce)) break; // nor are those issued later
      nonces.delete(value);
    }
    const value = randomBytes(24).toString("base64");
    nonces.set(value, { issuedAt: Date.now(), counts: new Set() });
    return value;
  }

  function judge(method: string, target: string, authorization: string): Verdict {
    const params = parseDigest(authorization);
    const { realm, uri, qop, nc = "", cnonce = "", algorithm = "MD5" } = params;
    const isForUs = realm === REALM && algorithm === "MD5" && qop === "auth" && uri === target;
    const count = /^[0-9a-f]{8}$/.test(nc) ? parseInt(nc, 16) : 0;
    if (!isForUs || count === 0 || cnonce === "") return "refused";

    // As in Jetty, the nonce is judged, and its count used up, before the password.
    const nonce = nonces.get(params.nonce ?? "");
    if (nonce === undefined || isExpired(nonce) || count > nonceUses) return "stale";
    if (nonce.counts.has(count)) return "refused";
    nonce.counts.add(count);

    const ha2 = md5(`${method}:${target}`);
    const response = md5(`${ha1}:${params.nonce}:${nc}:${cnonce}:auth:${ha2}`);
    return params.username === username && params.response === response ? "passed" : "refused";
  }

  return (request, target) => {
    const verdict = judge(request.method, target, request.headers.get("Authorization") ?? "");
    if (verdict === "passed") return undefined;
    const nonce = `nonce="${issueNonce()}"`;
    const stale = `stale=${verdict === "stale"}`;
    return unauthorized(`Digest realm="${REALM}", domain="", ${nonce}, algorithm=MD5, qop="auth", ${stale}`);
  };
}

// The grammar of RFC 9110, sections 5.6.2, 5.6.3, 5.6.4 and 11.2.
const TOKEN = String.raw`[\w!#$%&'*+\-.^\`|~]+`;
const BLANKS = String.raw`[ \t]*`;
const QUOTED_STRING = String.raw`"(?:[^"\\]|\\.)*"`;
const AUTH_PARAM = `(${TOKEN})${BLANKS}=${BLANKS}(${TOKEN}|${QUOTED_STRING})`;
const LIST_ITEM = new RegExp(`^${BLANKS}${AUTH_PARAM}${BLANKS}(?:,|$)`);

/** Gives the parameters by lower-cased name; none at all if one is malformed or repeated. */
function parseDigest(authorization: string): Partial<Record<string, string>> {
  const params = new Map<string, string>();
  let rest = /^Digest +(.*)$/i.exec(authorization)?.[1] ?? "";
  while (rest !== "") {
    const [item = "", name = "", value = ""] = LIST_ITEM.exec(rest) ?? [];
    const key = name.toLowerCase();
    if (item === "" || params.has(key)) return {};
    params.set(key, value.startsWith('"') ? value.slice(1, -1).replace(/\\(.)/g, "$1") : value);
    rest = rest.slice(item.length);
  }
  return Object.fromEntries(params);
}

/** The hash of a byte string. */
function md5(bytes: string): string {
  return createHash("md5").update(bytes, "latin1").digest("hex");
}

/** The UTF-8 bytes of a text, one character each, as header values hold them. */
function byteString(text: string): string {
  return Buffer.from(text).toString("latin1");
}

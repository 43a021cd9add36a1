/**
 * The judge: HTTP Digest from the server's side (RFC 7616, MD5, qop=auth), written for this bench alone.
 * It shares no line with any client it judges.
 */
import { createHash, randomBytes } from "node:crypto";

const REALM = "MMS Public API"; // the words of Atlas's own challenge
/** Few: a Map's first key is the longer to find, the more have been deleted before it. */
const NONCES_KEPT = 1000;

/**
 * What a server may demand of a nonce. A rule is asked once the hash is right, and says "ok", "stale" (401 with
 * stale=true) or "refused" (401 with stale=false). `nonce` is { made (ms), used (Set of counts), last (count) }.
 */
export const RULES = {
  reusable: (nonce, count) => once(nonce, count),
  rising: (nonce, count) => count > nonce.last ? "ok" : "refused",
  // Jetty's DigestAuthenticator: 60 s, counts below 1024, each once and in any order.
  jetty: (nonce, count, now) => now - nonce.made > 60_000 || count >= 1024 ? "stale" : once(nonce, count),
  stale50: (nonce, count) => nonce.used.size >= 50 ? "stale" : once(nonce, count),
  nextnonce: (nonce) => nonce.used.size > 0 ? "stale" : "ok",
  onetime: (nonce) => nonce.used.size > 0 ? "stale" : "ok",
  ms100: (nonce, count, now) => now - nonce.made > 100 ? "stale" : once(nonce, count),
};

function once(nonce, count) {
  return nonce.used.has(count) ? "refused" : "ok";
}

/** The nonces of one listener, and the verdict on each request to it. */
export function createVerifier({ rule, username, password }) {
  const judge = RULES[rule];
  const nonces = new Map();
  const ha1 = md5(`${username}:${REALM}:${password}`);

  function makeNonce() {
    const value = randomBytes(24).toString("base64"); // 32 characters without padding, as Atlas's
    nonces.set(value, { made: performance.now(), used: new Set(), last: 0 });
    if (nonces.size > NONCES_KEPT) nonces.delete(nonces.keys().next().value);
    return value;
  }

  /** "ok", "stale", "refused" or, without Digest credentials, "unsigned". */
  function verify(header, method, target) {
    if (header === undefined || !header.startsWith("Digest ")) {
      return "unsigned";
    }
    const given = parseAuthorization(header);
    if (given.uri !== target || given.realm !== REALM || given.username !== username) {
      return "refused";
    }
    if (given.qop !== "auth" || !/^[0-9a-f]{8}$/i.test(given.nc ?? "") || !given.cnonce) {
      return "refused";
    }
    if (given.response !== expectedResponse(given, ha1, method)) {
      return "refused";
    }
    const nonce = nonces.get(given.nonce);
    if (nonce === undefined) return "stale";
    const count = Number.parseInt(given.nc, 16);
    if (count < 1) return "refused";
    const verdict = judge(nonce, count, performance.now());
    if (verdict === "ok") {
      nonce.used.add(count);
      nonce.last = count;
    }
    return verdict;
  }

  function challenge(stale) {
    return `Digest realm="${REALM}", domain="", nonce="${makeNonce()}", algorithm=MD5, qop="auth", stale=${stale}`;
  }

  function authenticationInfo() {
    return `nextnonce="${makeNonce()}"`;
  }

  /** A value that verify() goes through to its end, for a twin that must spend as much as this server does. */
  function exampleAuthorization(method, uri) {
    const given = {
      nonce: makeNonce(),
      nc: "00000001",
      cnonce: "0a4f113b0a4f113b",
      uri,
    };
    return `Digest username="${username}", realm="${REALM}", nonce="${given.nonce}", uri="${uri}", ` +
      `algorithm=MD5, response="${expectedResponse(given, ha1, method)}", qop=auth, nc=${given.nc}, ` +
      `cnonce="${given.cnonce}"`;
  }

  return { verify, challenge, authenticationInfo, exampleAuthorization };
}

function expectedResponse({ nonce, nc, cnonce, uri }, ha1, method) {
  return md5(`${ha1}:${nonce}:${nc}:${cnonce}:auth:${md5(`${method}:${uri}`)}`);
}

function parseAuthorization(header) {
  const params = {};
  for (
    const [, name, quoted, token] of header.matchAll(/([a-z0-9]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s,"]+))/gi)
  ) {
    params[name.toLowerCase()] = quoted === undefined ? token : quoted.replace(/\\(.)/g, "$1");
  }
  return params;
}

function md5(text) {
  return createHash("md5").update(text).digest("hex");
}

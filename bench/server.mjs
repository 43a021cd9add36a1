/**
 * The server that every client calls, with a Digest check of its own (RFC 7616, MD5, qop=auth): no client is its own
 * judge, and it shares no line with any. It counts requests, connections and bytes.
 */
import { Buffer } from "node:buffer";
import { createHash, randomBytes } from "node:crypto";
import http from "node:http";
import { credentials } from "./processes.mjs";

const PATH = "/api/atlas/v2/groups";
const REALM = "MMS Public API"; // the words of Atlas's own challenge
const NONCES_KEPT = 1000; // a client uses one or two of them

const PROJECTS = Buffer.from(JSON.stringify({
  links: [{ rel: "self", href: `https://cloud.mongodb.com${PATH}` }],
  results: ["one", "two", "three"].map((name) => ({
    id: "32b6e34b3d91647abb20e7b8",
    orgId: "32b6e34b3d91647abb20e7b9",
    name,
    clusterCount: 2,
    created: "2025-03-12T08:00:00Z",
  })),
  totalCount: 3,
}));
const UNAUTHORIZED = Buffer.from('{"error":401,"detail":"You are not authorized for this resource."}');

/**
 * What a server may demand of a nonce, asked once the hash is right: "ok", "stale" (401 with stale=true) or "refused"
 * (401 with stale=false). A nonce is { made (ms), used (a Set of counts), last (the last count) }.
 */
const RULES = {
  reusable: once,
  rising: ({ last }, count) => count > last ? "ok" : "refused",
  // Jetty's DigestAuthenticator: 60 s, counts below 1024, each once and in any order.
  jetty: (nonce, count, now) => now - nonce.made > 60_000 || count >= 1024 ? "stale" : once(nonce, count),
  stale50: (nonce, count) => nonce.used.size >= 50 ? "stale" : once(nonce, count),
  nextnonce: ({ used }) => used.size > 0 ? "stale" : "ok",
  onetime: ({ used }) => used.size > 0 ? "stale" : "ok",
};

function once({ used }, count) {
  return used.has(count) ? "refused" : "ok";
}

/**
 * A server on a free port of 127.0.0.1.
 *
 * @param options.rule One of RULES
 * @param options.isOpen It asks for no credentials, but spends on each request what the check of one costs
 * @param options.latency Before each answer, in ms
 * @param options.setUp Before the first answer on a connection, in ms more: what TCP and TLS take over a long way
 */
export async function startServer({ rule = "reusable", isOpen = false, latency = 0, setUp = 0 }) {
  const { verify, makeNonce, example } = createVerifier(RULES[rule], credentials);
  const sockets = new Set();
  const greeted = new WeakSet();
  let counts = { requests: 0, connections: 0, acceptedBytes: 0 };
  let bytesBefore = 0;

  function answer(request, response, bodyBytes) {
    const { method, url, headers: { authorization }, socket } = request;
    const verdict = isOpen ? verify(example, "GET", PATH) : verify(authorization, method, url);
    const isAccepted = isOpen || verdict === "ok";
    if (isAccepted) counts.acceptedBytes += bodyBytes;
    const body = isAccepted ? PROJECTS : UNAUTHORIZED;
    const headers = ["Content-Type", "application/json", "Content-Length", String(body.length)];
    if (!isAccepted) {
      const challenge = `realm="${REALM}", domain="", nonce="${makeNonce()}", algorithm=MD5, qop="auth"`;
      headers.push("WWW-Authenticate", `Digest ${challenge}, stale=${verdict === "stale"}`);
    } else if (rule === "nextnonce") headers.push("Authentication-Info", `nextnonce="${makeNonce()}"`);
    const delay = greeted.has(socket) ? latency : latency + setUp;
    greeted.add(socket);
    const send = () => response.writeHead(isAccepted ? 200 : 401, headers).end(body);
    if (delay > 0) setTimeout(send, delay);
    else send();
  }

  const server = http.createServer(async (request, response) => {
    counts.requests++;
    const hasBody = "content-length" in request.headers || "transfer-encoding" in request.headers;
    let bodyBytes = 0;
    // A body is read to its end before the answer, also before a 401: what was sent is then exact.
    if (hasBody) {
      for await (const chunk of request) bodyBytes += chunk.length;
    }
    answer(request, response, bodyBytes);
  });
  server.keepAliveTimeout = 120_000; // longer than any pause between two turns of a client
  server.on("connection", (socket) => {
    counts.connections++;
    sockets.add(socket);
  });
  await new Promise((resolve, reject) => server.once("error", reject).listen(0, "127.0.0.1", resolve));

  return {
    url: `http://127.0.0.1:${server.address().port}${PATH}`,
    /** What was counted since it was last asked. */
    takeCounts() {
      const bytes = [...sockets].reduce((sum, { bytesRead }) => sum + bytesRead, 0);
      const taken = { ...counts, bytes: bytes - bytesBefore };
      counts = { requests: 0, connections: 0, acceptedBytes: 0 };
      bytesBefore = bytes;
      return taken;
    },
    close() {
      server.close();
      for (const socket of sockets) socket.destroy();
    },
  };
}

function createVerifier(judge, { username, password }) {
  const nonces = new Map();
  const ha1 = md5(`${username}:${REALM}:${password}`);

  function makeNonce() {
    const value = randomBytes(24).toString("base64"); // 32 characters without padding, as Atlas's
    nonces.set(value, { made: performance.now(), used: new Set(), last: 0 });
    if (nonces.size > NONCES_KEPT) nonces.delete(nonces.keys().next().value);
    return value;
  }

  function verify(header, method, target) {
    if (!header?.startsWith("Digest ")) return "refused";
    const given = parseAuthorization(header);
    const isForThis = given.uri === target && given.realm === REALM && given.username === username;
    const isWellFormed = given.qop === "auth" && /^[0-9a-f]{8}$/i.test(given.nc) && Boolean(given.cnonce);
    if (!isForThis || !isWellFormed || given.response !== responseTo(given, method)) return "refused";
    const nonce = nonces.get(given.nonce);
    if (nonce === undefined) return "stale";
    const count = Number.parseInt(given.nc, 16);
    const verdict = count < 1 ? "refused" : judge(nonce, count, performance.now());
    if (verdict === "ok") {
      nonce.used.add(count);
      nonce.last = count;
    }
    return verdict;
  }

  function responseTo({ nonce, nc, cnonce, uri }, method) {
    return md5(`${ha1}:${nonce}:${nc}:${cnonce}:auth:${md5(`${method}:${uri}`)}`);
  }

  // A value that verify() goes through to its end.
  const given = { nonce: makeNonce(), nc: "00000001", cnonce: "0a4f113b0a4f113b", uri: PATH };
  const example = `Digest username="${username}", realm="${REALM}", nonce="${given.nonce}", uri="${PATH}", ` +
    `algorithm=MD5, response="${responseTo(given, "GET")}", qop=auth, nc=${given.nc}, cnonce="${given.cnonce}"`;
  return { verify, makeNonce, example };
}

function parseAuthorization(header) {
  const params = {};
  for (const [, name, quoted, token] of header.matchAll(/(\w+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s,"]+))/g)) {
    params[name.toLowerCase()] = quoted === undefined ? token : quoted.replace(/\\(.)/g, "$1");
  }
  return params;
}

function md5(text) {
  return createHash("md5").update(text).digest("hex");
}

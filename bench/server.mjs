/**
 * The one server process. Told over the IPC channel to open and close listeners, each with a rule and delays of
 * its own, on a free port of 127.0.0.1; and asked what a listener has counted since it was last asked.
 *
 * A listener's `twin` is "digest" (asks for credentials), "equal" (asks for none, but spends on each request what
 * the check of a Digest request costs) or "open" (asks for none and spends nothing).
 */
import { Buffer } from "node:buffer";
import http from "node:http";
import net from "node:net";
import process from "node:process";
import { createVerifier } from "./verifier.mjs";

const PATH = "/api/atlas/v2/groups";

const PROJECT_LIST = Buffer.from(JSON.stringify({
  links: [{
    rel: "self",
    href: "https://cloud.mongodb.com/api/atlas/v2/groups",
  }],
  results: ["one", "two", "three"].map((name) => ({
    id: "32b6e34b3d91647abb20e7b8",
    orgId: "32b6e34b3d91647abb20e7b9",
    name,
    clusterCount: 2,
    created: "2025-03-12T08:00:00Z",
  })),
  totalCount: 3,
}));

const UNAUTHORIZED = Buffer.from(JSON.stringify({
  error: 401,
  reason: "Unauthorized",
  detail: "You are not authorized for this resource.",
  errorCode: "UNEXPECTED_ERROR",
}));

const listeners = new Map(); // port -> { server, counts, sockets }

/** A small seeded generator, so that two clients meet the same reordering. */
function createRandom(seed) {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
}

function noCounts() {
  return {
    requests: 0,
    unauthorized: 0,
    connections: 0,
    bytesIn: 0,
    bodyBytes: 0,
    answeredBodyBytes: 0, // body bytes of the requests that were let in
  };
}

function listen(options) {
  const { twin, rule, latency = 0, reorder = 0, setUp = 0, username, password } = options;
  const verifier = createVerifier({ rule, username, password });
  const example = verifier.exampleAuthorization("GET", PATH);
  const random = createRandom(1);
  const listener = { counts: noCounts(), sockets: new Map() };

  function answer(request, response, bodyBytes) {
    const { counts } = listener;
    counts.bodyBytes += bodyBytes;
    let verdict = "ok";
    if (twin === "digest") {
      verdict = verifier.verify(request.headers.authorization, request.method, request.url);
    } else if (twin === "equal") {
      verifier.verify(example, "GET", PATH);
    }
    const headers = ["Content-Type", "application/json"];
    let body = PROJECT_LIST;
    if (verdict !== "ok") {
      counts.unauthorized++;
      headers.push("WWW-Authenticate", verifier.challenge(verdict === "stale"));
      body = UNAUTHORIZED;
    } else {
      counts.answeredBodyBytes += bodyBytes;
      if (twin === "digest" && rule === "nextnonce") {
        headers.push("Authentication-Info", verifier.authenticationInfo());
      }
    }
    headers.push("Content-Length", String(body.length));
    const delay = latency + (reorder > 0 ? random() * reorder : 0);
    const send = () => response.writeHead(verdict === "ok" ? 200 : 401, headers).end(body);
    if (delay > 0) setTimeout(send, delay);
    else send();
  }

  const server = http.createServer((request, response) => {
    listener.counts.requests++;
    if (!("content-length" in request.headers) && !("transfer-encoding" in request.headers)) {
      answer(request, response, 0);
      return;
    }
    // A body is read to its end before the answer, also before a 401: what was sent is then exact.
    let bodyBytes = 0;
    request.on("data", (chunk) => bodyBytes += chunk.length);
    request.on("end", () => answer(request, response, bodyBytes));
  });
  server.keepAliveTimeout = 120_000; // longer than any pause between two slices of one client

  // The set-up delay stands for TCP and TLS over a long way: nothing of a connection is read before it has passed.
  const front = net.createServer(
    { noDelay: true, pauseOnConnect: setUp > 0 },
    (socket) => {
      listener.counts.connections++;
      listener.sockets.set(socket, 0);
      socket.on("close", () => {
        listener.counts.bytesIn += newBytes(listener, socket);
        listener.sockets.delete(socket);
      });
      socket.on("error", () => socket.destroy());
      if (setUp === 0) {
        server.emit("connection", socket);
        return;
      }
      setTimeout(() => {
        socket.resume();
        server.emit("connection", socket);
      }, setUp);
    },
  );
  listener.close = () => {
    front.close();
    for (const socket of listener.sockets.keys()) socket.destroy();
  };
  return new Promise((resolve, reject) => {
    front.once("error", reject);
    front.listen(0, "127.0.0.1", () => {
      const { port } = front.address();
      listeners.set(port, listener);
      resolve(port);
    });
  });
}

/** Bytes that this socket has received since it was last asked. */
function newBytes(listener, socket) {
  const before = listener.sockets.get(socket) ?? 0;
  listener.sockets.set(socket, socket.bytesRead);
  return socket.bytesRead - before;
}

function takeCounts(port) {
  const listener = listeners.get(port);
  for (const socket of listener.sockets.keys()) {
    listener.counts.bytesIn += newBytes(listener, socket);
  }
  const { counts } = listener;
  listener.counts = noCounts();
  return counts;
}

function close(port) {
  listeners.get(port)?.close();
  listeners.delete(port);
}

async function carryOut({ task, port, options }) {
  if (task === "listen") return await listen(options);
  if (task === "counts") return takeCounts(port);
  if (task === "close") return close(port);
  throw new TypeError(`Cannot carry out an unknown task: ${task}`);
}

process.on("message", async (message) => {
  try {
    process.send({ id: message.id, result: await carryOut(message) });
  } catch (error) {
    process.send({ id: message.id, error: String(error) });
  }
});
process.on("disconnect", () => process.exit(0));

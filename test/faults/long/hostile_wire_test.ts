// What a hostile server can do below the level of a Response: floods, bombs, drips, echoes and redirects on real sockets.
import assert from "node:assert/strict";
import type { Socket } from "node:net";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { inspect } from "node:util";
import { gzipSync } from "node:zlib";
import { reasonOf } from "../../serving.ts";
import { assertShowsNone } from "../secrets.ts";
import { http, pump, type WireServer, withWireServer } from "../wire_server.ts";
import { createAtlasFetch, ensureOk } from "../../../mod.ts";
import type { ApiKey, AtlasFetch, ServiceAccount } from "../../../mod.ts";

const KEY = { publicKey: "wirewire", privateKey: "S3CRET-private-key" };
const ACCOUNT = { clientId: "mdb_sa_id_317e", clientSecret: "mdb_sa_sk_S3CRET-client-secret" };
const TOKEN = "S3CRET-access-token";
const CHALLENGE = 'WWW-Authenticate: Digest realm="Wire", nonce="n", qop="auth"';
const FLOOD = 32 * 1024 * 1024; // bytes: much more than sockets hold, much less than is sent to who takes it all
const MEMORY = 256 * 1024 * 1024; // bytes: a bomb that bursts takes a hundred times as much

/** Answers a mint with a token, and all else as it is told. */
function withWire(answer: (socket: Socket, request: string) => void, work: (server: WireServer) => Promise<void>) {
  return withWireServer((socket, request) => {
    if (!request.startsWith("POST /api/oauth/token ")) return answer(socket, request);
    socket.write(http(200, [], JSON.stringify({ access_token: TOKEN })));
  }, work);
}

async function until(isSo: () => boolean, what: string): Promise<void> {
  for (let turns = 0; !isSo(); turns++) {
    assert.ok(turns < 1000, what);
    await sleep(5);
  }
}

/** How many requests there were, without those for tokens. */
function countOf({ requests }: WireServer): number {
  return requests.filter((request) => !request.startsWith("POST /api/oauth/token ")).length;
}

function clientOf({ url }: WireServer, credentials: ApiKey | ServiceAccount): AtlasFetch {
  return createAtlasFetch({ credentials, baseUrl: url, retry: { maxDelay: 5 } });
}

/** Awaits a call that may end well or not, but not in showing anything secret. */
async function endOf(call: Promise<Response>): Promise<"answered" | "failed"> {
  try {
    await (await call).body?.cancel();
    return "answered";
  } catch (error) {
    assert.ok(error instanceof TypeError, inspect(error));
    assertNothingSecret(error);
    return "failed";
  }
}

function assertNothingSecret(error: unknown): void {
  assertShowsNone(error, [KEY.privateKey, ACCOUNT.clientSecret, TOKEN, 'response="'], "An error");
}

const MONSTERS: Record<string, string[]> = {
  "60 kB of WWW-Authenticate": [`WWW-Authenticate: Digest realm="${"x".repeat(60_000)}", nonce="n"`],
  "500 challenges": Array.from({ length: 500 }, (_, index) => `WWW-Authenticate: Digest realm="r${index}", nonce="n"`),
  "a nonce of 50 kB": [`WWW-Authenticate: Digest realm="r", nonce="${"x".repeat(50_000)}"`],
  "20,000 header fields": Array.from({ length: 20_000 }, (_, index) => `X-${index}: y`),
};

for (const [name, fields] of Object.entries(MONSTERS)) {
  test(`createAtlasFetch() does not ask again a server that sends ${name}`, () =>
    withWire((socket) => void socket.write(http(401, fields, "who?")), async (wire) => {
      for (const credentials of [KEY, ACCOUNT]) {
        const before = countOf(wire);
        const end = await endOf(clientOf(wire, credentials)("/groups"));
        const sent = countOf(wire) - before;
        // Runtimes that let it in sign once; those that do not have nothing to sign.
        assert.ok(end === "failed" ? sent === 1 : sent <= 2, `${end} after ${sent} requests`);
      }
    }));
}

test("createAtlasFetch() gets an end, and sends two requests at most, whatever byte is in a nonce", () => {
  const challenge = (byte: number) =>
    http(401, [`WWW-Authenticate: Digest realm="r", nonce="a${String.fromCharCode(byte)}b"`]);
  let byte = 0;
  return withWire((socket, request) => {
    const isSigned = /\r\nauthorization: Digest /i.test(request);
    socket.write(isSigned ? http(200, [], "ok") : challenge(byte), "latin1");
  }, async (wire) => {
    for (byte = 0; byte < 256; byte++) {
      const before = countOf(wire);
      await endOf(clientOf(wire, KEY)("/groups"));
      const sent = countOf(wire) - before;
      assert.ok(sent <= 2, `${byte}: ${sent} requests`);
    }
  });
});

// In place of an answer to a signed request; each is written for as long as it is read.
const FLOODS: Record<string, [head: string, more: string | Uint8Array]> = {
  "informational answers": ["", "HTTP/1.1 102 Processing\r\n\r\n".repeat(1000)],
  "header fields": ["HTTP/1.1 200 OK\r\n", "X-Flood: 0123456789\r\n".repeat(1000)],
  "one header field": ["HTTP/1.1 200 OK\r\nX-Flood: ", "0123456789".repeat(1000)],
  "a reason phrase": ["HTTP/1.1 200 ", "OK".repeat(1000)],
  "a body of an error": ["HTTP/1.1 500 Whatever\r\n\r\n", "0123456789".repeat(1000)],
  "a chunked body of an error": [
    "HTTP/1.1 500 Whatever\r\nTransfer-Encoding: chunked\r\n\r\n",
    "5\r\n01234\r\n".repeat(1000),
  ],
  "a body of a 401": [`HTTP/1.1 401 Whatever\r\n${CHALLENGE}, stale=true\r\n\r\n`, "0123456789".repeat(1000)],
  "a gzip bomb in an error": ["HTTP/1.1 500 Whatever\r\nContent-Encoding: gzip\r\n\r\n", bomb()],
  "a gzip bomb in a 401": [
    `HTTP/1.1 401 Whatever\r\n${CHALLENGE}, stale=true\r\nContent-Encoding: gzip\r\n\r\n`,
    bomb(),
  ],
};

/** Gzip members of 4 MB of zeros each, in 4 kB: any number of them may follow each other (RFC 1952 section 2.2). */
function bomb(): Uint8Array {
  return gzipSync(new Uint8Array(4 * 1024 * 1024));
}

for (const [name, [head, more]] of Object.entries(FLOODS)) {
  test(`ensureOk() does not drown with createAtlasFetch() in a flood of ${name}`, () =>
    withWire((socket, request) => {
      if (!/\r\nauthorization: /i.test(request)) return void socket.write(http(401, [CHALLENGE]));
      socket.write(head);
      pump(socket, more, FLOOD);
    }, async (wire) => {
      for (const credentials of [KEY, ACCOUNT]) {
        const before = countOf(wire);
        const memory = process.memoryUsage.rss();
        const controller = new AbortController();
        const call = ensureOk(clientOf(wire, credentials)("/groups", { method: "POST", signal: controller.signal }));
        const ended = reasonOf(call).then(assertNothingSecret);
        const limit = setTimeout(() => controller.abort(), 500);
        await ended;
        clearTimeout(limit);
        // Idle connections may be kept, but not one that is flooded.
        await until(() => wire.open() <= 2, `${wire.open()} connections are still open`);
        const sent = countOf(wire) - before;
        assert.ok(sent <= 6, `${sent} requests`);
        assert.ok(process.memoryUsage.rss() - memory < MEMORY, `It took ${process.memoryUsage.rss() - memory} bytes`);
        // Some runtimes throw away what comes before a response for ever: the caller's limit is what ends that.
        if (!/informational|phrase/.test(name)) assert.ok(wire.written() < FLOOD, `${wire.written()} bytes were read`);
      }
    }));
}

test("createAtlasFetch() can be aborted while a head comes in byte by byte, for ever", () => {
  let drips = 0;
  return withWire((socket, request) => {
    if (!/\r\nauthorization: /i.test(request)) return void socket.write(http(401, [CHALLENGE]));
    socket.write("HTTP/1.1 200 OK\r\nX: ");
    const dripping = setInterval(() => {
      socket.write("x");
      drips++;
    }, 5);
    socket.on("close", () => clearInterval(dripping));
  }, async (wire) => {
    for (const credentials of [KEY, ACCOUNT]) {
      const controller = new AbortController();
      const reason = new Error("Enough");
      const ended = reasonOf(clientOf(wire, credentials)("/groups", { signal: controller.signal }));
      await until(() => drips > 3, "Nothing came");
      const before = countOf(wire);
      controller.abort(reason);
      assert.equal(await ended, reason);
      await until(() => wire.open() <= 2, `${wire.open()} connections are still open`);
      assert.equal(countOf(wire), before);
      drips = 0;
    }
  });
});

test("createAtlasFetch() sends no Authorization where a redirect leads, nor when that leads back", () => {
  const asked = (request: string) => /\r\nauthorization: /i.test(request);
  let home = "";
  return withWire((socket, request) => {
    // Back home, behind the redirect of the other one.
    socket.write(http(request.includes(" /back") ? 200 : 302, [`Location: ${home}/back`], "there"));
  }, (other) =>
    withWire((socket, request) => {
      if (request.includes(" /back")) return void socket.write(http(asked(request) ? 400 : 200, [], "back"));
      if (!asked(request)) return void socket.write(http(401, [CHALLENGE]));
      const [, place = ""] = /\?to=(\S+) /.exec(request) ?? [];
      const port = new URL(other.url).port;
      const places = [other.url, `http://localhost:${port}`, `//127.0.0.1:${port}`, `https://127.0.0.1:${port}`];
      socket.write(http(307, [`Location: ${places[Number(place)]}/there`]));
    }, async (wire) => {
      home = wire.url;
      for (const credentials of [KEY, ACCOUNT]) {
        for (const place of [0, 1, 2, 3]) {
          for (const method of ["GET", "POST"]) {
            const init = { method, ...(method === "POST" && { body: "x" }) };
            const end = await clientOf(wire, credentials)(`/groups?to=${place}`, init).then(
              (response) => response.text(),
              (error: unknown) => (assertNothingSecret(error), "failed"),
            );
            assert.equal(end, place === 3 ? "failed" : "back");
          }
        }
      }
      assert.ok(other.requests.length > 0);
      assert.ok(!other.requests.some(asked), "Authorization was sent elsewhere");
      assertShowsNone(other.requests.join(), [KEY.privateKey, ACCOUNT.clientSecret, TOKEN, 'response="'], "A request");
    }));
});

// What a call costs, counted exactly: requests, and connections and bytes on the wire.
import assert from "node:assert/strict";
import { createServer } from "node:net";
import { test } from "node:test";
import { setImmediate as turn } from "node:timers/promises";
import { createDigestFetch } from "../lib/digest/digest_fetch.ts";
import { ada, BASE, client } from "./digest_client.ts";
import { createDigestServer, type DigestServer, type Rules } from "./digest_server.ts";
import { serving } from "./serving.ts";

type Refuses = NonNullable<Rules["refuses"]>;

const rising: Refuses = ({ highest }, count) => count <= highest ? "bare" : undefined;
const fiftyUses: Refuses = ({ uses }) => uses >= 50 ? "stale" : undefined;
const oneTime: Refuses = ({ uses }) => uses > 0 ? "stale" : undefined;

/** 1024 uses a nonce, each count once. */
function createJetty(): Refuses {
  const seen = new Map<string, Set<number>>();
  return ({ value, uses }, count) => {
    const counts = seen.get(value) ?? new Set();
    seen.set(value, counts);
    if (counts.has(count)) return "bare";
    counts.add(count);
    return uses >= 1024 || count > 1024 ? "stale" : undefined;
  };
}

/** One-time nonces, the next one with each answer. */
function createNextNonceServer(): DigestServer {
  const server = createDigestServer({ refuses: oneTime, nextNonce: () => server.newNonce() });
  return server;
}

/** The requests that `calls` calls in sequence take, the first included; all must succeed. */
async function requestsFor(calls: number, rules: Rules, together = 1): Promise<number> {
  const server = createDigestServer(rules);
  const fetch = client(server);
  await fetch(BASE);
  for (let call = 1; call < calls; call += together) {
    const responses = await Promise.all(Array.from({ length: together }, () => fetch(BASE)));
    assert.ok(responses.every(({ status }) => status === 200));
  }
  return server.seen.length;
}

test("createDigestFetch() takes 1.00 requests a call while a nonce can be used again", async () => {
  assert.equal(await requestsFor(1000, {}), 1001);
  assert.equal(await requestsFor(1000, { refuses: rising }), 1001);
});

test("createDigestFetch() takes one request more for each nonce under Jetty's 1024 uses", async () => {
  assert.equal(await requestsFor(1500, { refuses: createJetty() }), 1502);
  assert.ok(await requestsFor(1 + 16 * 100, { refuses: createJetty() }, 16) <= 1601 * 1.01);
  assert.ok(await requestsFor(1 + 64 * 30, { refuses: createJetty() }, 64) <= 1921 * 1.01);
});

test("createDigestFetch() takes 1.02 requests a call where nonces are stale after 50 uses", async () => {
  assert.equal(await requestsFor(500, { refuses: fiftyUses }), 510);
});

test("createDigestFetch() takes 1.00 requests a call with one-time nonces and nextnonce, 2.00 without", async () => {
  const server = createNextNonceServer();
  const fetch = client(server);
  for (let call = 0; call < 100; call++) assert.equal((await fetch(BASE)).status, 200);
  assert.equal(server.seen.length, 101);
  assert.equal(await requestsFor(100, { refuses: oneTime }), 200);
});

test("createDigestFetch() keeps one connection, and sends no byte twice but the header that signs", async () => {
  // Answers by hand, so that every byte and connection is seen: 401 to what is not signed.
  let bytes = 0;
  const server = createServer((socket) => {
    let pending = "";
    socket.on("error", () => {});
    socket.on("data", (data) => {
      bytes += data.length;
      pending += data.toString("latin1");
      for (;;) {
        const head = pending.indexOf("\r\n\r\n");
        const length = Number(/content-length: (\d+)/i.exec(pending.slice(0, head))?.[1] ?? 0);
        if (head < 0 || pending.length < head + 4 + length) return;
        const signed = /\r\nauthorization: digest/i.test(pending.slice(0, head));
        pending = pending.slice(head + 4 + length);
        socket.write(
          signed
            ? "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
            : 'HTTP/1.1 401 No\r\nWWW-Authenticate: Digest realm="r", nonce="n", qop="auth"\r\nContent-Length: 2\r\n\r\nno',
        );
      }
    });
  });
  await serving(server, async (url, connections) => {
    const fetch = createDigestFetch(ada);
    const body = "x".repeat(2 ** 20);
    const sizes: number[] = [];
    for (let call = 0; call < 3; call++) {
      const before = bytes;
      assert.equal(await (await fetch(url, { method: "POST", body })).text(), "ok");
      sizes.push(bytes - before);
      await turn(); // a call right after text() may take a second connection by itself
    }
    // 1 MiB and a head; the first call asks with a bodyless GET before.
    for (const size of sizes) assert.ok(size > 2 ** 20 && size < 2 ** 20 + 1500, String(sizes));
    assert.equal(connections(), 1);
  });
});

/** By the server's clock, in ms: 150 go by between two calls. */
let now = 0;
function createShortLived(): Refuses {
  const born = new Map<string, number>();
  return ({ value }) => {
    if (!born.has(value)) born.set(value, now);
    return now - (born.get(value) ?? 0) >= 100 ? "stale" : undefined;
  };
}

const withRule = (refuses: Refuses) => createDigestServer({ refuses });

for (
  const { rule, calls, requests, server } of [
    { rule: "reusable", calls: 20, requests: 21, server: withRule(() => undefined) },
    { rule: "rising", calls: 20, requests: 21, server: withRule(rising) },
    { rule: "Jetty's", calls: 1100, requests: 1102, server: withRule(createJetty()) },
    { rule: "50 uses", calls: 120, requests: 123, server: withRule(fiftyUses) },
    { rule: "one-time with nextnonce", calls: 20, requests: 21, server: createNextNonceServer() },
    { rule: "one-time", calls: 20, requests: 40, server: withRule(oneTime) },
    { rule: "100 ms", calls: 4, requests: 8, server: withRule(createShortLived()) },
  ]
) {
  test(`createDigestFetch() takes ${requests} requests for ${calls} calls on one connection, nonces ${rule}`, async () => {
    /** The bytes of each request, without its Authorization line, and of that line. */
    const sizes: [rest: number, line: number][] = [];
    const answer = async (head: string) => {
      const [line = "", authorization] = /^authorization: (.*)\r\n/im.exec(head) ?? [];
      sizes.push([head.length - line.length, line.length]);
      const init = authorization === undefined ? {} : { headers: { authorization } };
      const { status, headers } = await server.fetch(BASE, init);
      const fields = [...headers].map((field) => field.join(": "));
      return [`HTTP/1.1 ${status} So`, ...fields, "Content-Length: 2", "", "ok"].join("\r\n");
    };
    // node:net, since Bun's node:http counts no bytes. A GET comes in one piece.
    const wire = createServer((socket) => {
      socket.on("error", () => {});
      socket.on("data", async (data) => socket.write(await answer(data.toString("latin1"))));
    });
    await serving(wire, async (url, connections) => {
      const fetch = createDigestFetch(ada);
      for (let call = 0; call < calls; call++) {
        const response = await fetch(url);
        assert.equal(response.status, 200);
        await response.text();
        await turn(); // until the connection is free
        now += 150;
      }
      assert.equal(connections(), 1);
    });
    assert.equal(sizes.length, requests);
    // Every request has the same bytes, but for the first, which has no line that signs.
    const [[bytes] = [0], [, line] = [0, 0]] = sizes;
    assert.notEqual(line, 0);
    assert.deepEqual(sizes, [[bytes, 0], ...Array.from({ length: requests - 1 }, () => [bytes, line])]);
  });
}

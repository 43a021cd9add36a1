import assert from "node:assert/strict";
import { test } from "node:test";
import { setImmediate as turn } from "node:timers/promises";
import type { Fetch } from "../lib/digest/call.ts";
import { BASE, client, countsOf } from "./digest_client.ts";
import { createDigestServer, type DigestServer, type Rules } from "./digest_server.ts";
import { createGate } from "./gate.ts";
import { createRandom } from "./random.ts";

test("createDigestFetch() takes two requests for the first call and one for each after", async () => {
  const server = createDigestServer();
  const fetch = client(server);
  for (let call = 0; call < 10; call++) assert.equal(await (await fetch(`${BASE}/a`)).text(), "welcome");
  assert.equal(server.seen.length, 11);
  assert.deepEqual(countsOf(server).slice(0, 4), [undefined, "00000001", "00000002", "00000003"]);
  assert.equal(new Set(server.seen.slice(1).map(({ credentials }) => credentials?.cnonce)).size, 1);
});

test("createDigestFetch() uses no number twice in 64 parallel warm calls", async () => {
  const server = createDigestServer();
  const fetch = client(server);
  await fetch(BASE);
  const responses = await Promise.all(Array.from({ length: 64 }, () => fetch(BASE)));
  assert.ok(responses.every(({ status }) => status === 200));
  assert.equal(server.seen.length, 66);
  assert.equal(new Set(countsOf(server).slice(1)).size, 65);
});

test("createDigestFetch() lets parallel cold calls take a challenge each", async () => {
  const server = createDigestServer();
  const fetch = client(server);
  await Promise.all([fetch(BASE), fetch(BASE), fetch(BASE), fetch(BASE)]);
  assert.equal(server.seen.length, 8);
  await fetch(BASE);
  assert.equal(server.seen.length, 9);
});

test("createDigestFetch() gets over a nonce that was used up, said stale or not", async () => {
  for (const how of ["stale", "bare"] as const) {
    const server = createDigestServer({ refuses: ({ uses }) => uses >= 5 ? how : undefined });
    const fetch = client(server);
    for (let call = 0; call < 20; call++) assert.equal((await fetch(BASE)).status, 200);
    assert.equal(server.seen.length, 20 + 4, how);
  }
});

test("createDigestFetch() gets over a restart of the server, which knows no nonce", async () => {
  const server = createDigestServer();
  const fetch = client(server);
  await fetch(BASE);
  server.nonces.clear();
  assert.equal((await fetch(BASE)).status, 200);
  assert.equal(server.seen.length, 4);
});

test("createDigestFetch() tries a wrong password once a call", async () => {
  const server = createDigestServer();
  const fetch = client(server, "wrong");
  for (let call = 1; call <= 3; call++) {
    const response = await fetch(BASE);
    assert.equal(response.status, 401);
    assert.equal(response.bodyUsed, false);
    assert.equal(await response.text(), "who are you?");
    assert.equal(server.seen.length, call * 2);
  }
  assert.equal(countsOf(server).filter((nc) => nc !== undefined).length, 3);
});

test("createDigestFetch() signs twice, then once a call, when the password was changed", async () => {
  const rules: Rules = { password: "lovelace" };
  const server = createDigestServer(rules);
  const fetch = client(server);
  await fetch(BASE);
  const changed = createDigestServer({ password: "other" });
  const both = client({
    fetch: (input, init) => (server.seen.length < 2 ? server : changed).fetch(input, init),
  });
  await both(BASE);
  const signed = () => countsOf(changed).filter((nc) => nc !== undefined).length;
  assert.equal((await both(BASE)).status, 401);
  const afterFirst = signed();
  assert.ok(afterFirst <= 2);
  assert.equal((await both(BASE)).status, 401);
  assert.equal(signed(), afterFirst + 1);
});

test("createDigestFetch() asks at most six times where every nonce is stale", async () => {
  const server = createDigestServer({ refuses: () => "stale" });
  const fetch = client(server);
  assert.equal((await fetch(BASE)).status, 401);
  assert.equal(server.seen.length, 6);
  assert.equal((await fetch(BASE)).status, 401);
  assert.equal(server.seen.length, 12);
});

test("createDigestFetch() asks at most six times with a large body too", async () => {
  const server = createDigestServer({
    refuses: () => "stale",
    open: ({ method }) => method === "GET" ? new Response() : undefined,
  });
  assert.equal((await client(server)(BASE, { method: "POST", body: "x".repeat(20_000) })).status, 401);
  assert.equal(server.seen.length, 6);
});

test("createDigestFetch() gets through a balancer whose nodes share no nonces", async () => {
  const [one, other] = [createDigestServer(), createDigestServer()];
  let requests = 0;
  // Two requests to each in turn: whichever node a call meets, the kept nonce is the other's.
  const balancer: Fetch = (input, init) => (requests++ % 4 < 2 ? one : other).fetch(input, init);
  const fetch = client({ fetch: balancer });
  for (let call = 0; call < 40; call++) assert.equal((await fetch(BASE)).status, 200);
  assert.deepEqual([one.seen.length, other.seen.length], [40, 40]);
});

test("createDigestFetch() keeps the nonce over a 401 without a challenge: a role is missing", async () => {
  const server = createDigestServer({
    answer: ({ uri }) => new Response(uri, { status: uri === "/secret" ? 401 : 200 }),
  });
  const fetch = client(server);
  for (const path of ["/secret", "/secret", "/open", "/secret", "/open"]) {
    const response = await fetch(BASE + path);
    assert.equal(response.status, path === "/secret" ? 401 : 200);
    assert.equal(await response.text(), path);
  }
  assert.equal(server.seen.length, 6);
});

test("createDigestFetch() offers a fresh challenge only after a request signed with it was accepted", async () => {
  const [reached, held] = [createGate(), createGate()];
  const server = createDigestServer({
    // Wants rising counts, as several servers do.
    refuses: ({ highest }, count) => count <= highest ? "bare" : undefined,
    answer: async ({ uri }) => {
      reached.open();
      if (uri === "/slow") await held.opened;
      return new Response("welcome");
    },
  });
  const fetch = client(server);
  const slow = fetch(`${BASE}/slow`);
  await reached.opened;
  assert.equal((await fetch(`${BASE}/fast`)).status, 200); // must not borrow the slow one's nonce
  held.open();
  assert.equal((await slow).status, 200);
  assert.deepEqual(countsOf(server), [undefined, "00000001", undefined, "00000001"]);
});

test("createDigestFetch() fails no call where counts must rise and answers are reordered", async () => {
  const server = createDigestServer({ refuses: ({ highest }, count) => count <= highest ? "bare" : undefined });
  const random = createRandom(1);
  const fetch = client({
    fetch: async (input, init) => {
      for (let turns = Math.floor(random() * 8); turns > 0; turns--) await turn();
      return await server.fetch(input, init);
    },
  });
  for (let round = 0; round < 10; round++) {
    const responses = await Promise.all(Array.from({ length: 16 }, () => fetch(BASE)));
    assert.deepEqual(responses.map(({ status }) => status).filter((status) => status !== 200), []);
  }
});

test("createDigestFetch() follows nextnonce: one request a call with one-time nonces", async () => {
  const server: DigestServer = createDigestServer({
    refuses: ({ uses }) => uses > 0 ? "stale" : undefined,
    nextNonce: () => server.newNonce(),
  });
  const fetch = client(server);
  for (let call = 0; call < 10; call++) assert.equal((await fetch(BASE)).status, 200);
  assert.equal(server.seen.length, 11);
  assert.ok(countsOf(server).slice(1).every((nc) => nc === "00000001"));
});

test("createDigestFetch() passes over an Authentication-Info without nextnonce", async () => {
  const server = createDigestServer({
    answer: () => new Response("", { headers: { "authentication-info": 'rspauth="x", qop=auth' } }),
  });
  const fetch = client(server);
  await fetch(BASE);
  await fetch(BASE);
  assert.deepEqual(countsOf(server), [undefined, "00000001", "00000002"]);
});

test("createDigestFetch() keeps the nonces of each origin apart", async () => {
  const server = createDigestServer();
  const fetch = client(server);
  await fetch("http://a.example/");
  await fetch("http://b.example/");
  await fetch("http://a.example:8080/");
  await fetch("http://a.example/");
  assert.deepEqual(countsOf(server).map(Boolean), [false, true, false, true, false, true, true]);
});

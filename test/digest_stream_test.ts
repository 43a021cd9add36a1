import assert from "node:assert/strict";
import { test } from "node:test";
import { createDigestFetch } from "../lib/digest/digest_fetch.ts";
import { ada, BASE, client } from "./digest_client.ts";
import { createDigestServer, servingDigest } from "./digest_server.ts";
import { challenged, createRecorder } from "./recorder.ts";
import { streamOf } from "./stream.ts";

test("createDigestFetch() sends a stream once, with a nonce asked for just before", async () => {
  await servingDigest({ answer: ({ body }) => new Response(body) }, async ({ url, seen }) => {
    const fetch = createDigestFetch(ada);
    for (let call = 1; call <= 2; call++) {
      const body = streamOf("a", "b", "c");
      const response = await fetch(url, { method: "POST", body, headers: { "content-type": "text/x" } });
      assert.equal(response.status, 200);
      assert.equal(await response.text(), "abc");
      assert.equal(seen.length, call * 2);
    }
    const requests = seen.map(({ method, body }) => [method, body]);
    assert.deepEqual(requests, [["GET", ""], ["POST", "abc"], ["GET", ""], ["POST", "abc"]]);
  });
});

test("createDigestFetch() takes an async iterable for a stream", async () => {
  async function* chunks() {
    yield new TextEncoder().encode("ab");
    yield new TextEncoder().encode("c");
  }
  let sent: unknown;
  const server = createDigestServer();
  const fetch = client({
    fetch: (input, init) => {
      if (init?.body) sent = init.body;
      return server.fetch(input, init?.body ? { ...init, body: "abc" } : init);
    },
  });
  const body = chunks();
  const init: object = { method: "POST", body };
  assert.equal((await fetch(BASE, init)).status, 200);
  assert.equal(sent, body);
  assert.deepEqual(server.seen.map(({ method }) => method), ["GET", "POST"]);
});

test("createDigestFetch() takes what the server says of a stream as final", async () => {
  const server = createDigestServer({ refuses: () => "stale" });
  const fetch = client(server);
  const response = await fetch(BASE, { method: "POST", body: streamOf("abc") });
  assert.equal(response.status, 401);
  assert.deepEqual(server.seen.map(({ body }) => body), ["", "abc"]);
});

test("createDigestFetch() signs a stream with the kept nonce if the GET is open, or leaves it unsigned", async () => {
  const server = createDigestServer({
    open: ({ uri, method }) => uri === "/open" && method === "GET" ? new Response("open") : undefined,
  });
  const fetch = client(server);
  assert.equal((await fetch(`${BASE}/open`, { method: "POST", body: streamOf("abc") })).status, 401); // documented
  await fetch(`${BASE}/other`);
  const response = await fetch(`${BASE}/open`, { method: "POST", body: streamOf("abc") });
  assert.equal(response.status, 200);
  assert.equal(server.seen.at(-1)?.body, "abc");
});

test("createDigestFetch() signs a stream with the challenge that refused the one before, if the GET is open", async () => {
  let dead = "";
  const server = createDigestServer({
    open: ({ uri, method }) => uri === "/open" && method === "GET" ? new Response("open") : undefined,
    refuses: ({ value }) => value === dead ? "stale" : undefined,
  });
  const fetch = client(server);
  const upload = () => fetch(`${BASE}/open`, { method: "POST", body: streamOf("abc") });
  await fetch(`${BASE}/other`);
  [dead = ""] = server.nonces.keys();
  assert.equal((await upload()).status, 401);
  const asked = server.seen.length;
  assert.equal((await upload()).status, 200);
  assert.deepEqual(server.seen.slice(asked).map(({ method, body }) => [method, body]), [["GET", ""], ["POST", "abc"]]);
});

test("createDigestFetch() refuses a stream where only auth-int is offered", async () => {
  const server = createDigestServer({ qop: "auth-int" });
  const fetch = client(server);
  const error = /^TypeError: Cannot hash a stream.*auth-int/;
  await assert.rejects(fetch(BASE, { method: "POST", body: streamOf("abc") }), error);
  assert.deepEqual(server.seen.map(({ method }) => method), ["GET"]);
});

test("createDigestFetch() refuses a locked stream before anything is sent", async () => {
  const server = createDigestServer();
  const body = streamOf("abc");
  body.getReader();
  await assert.rejects(
    client(server)(BASE, { method: "POST", body }),
    /^TypeError: Cannot send the stream: it is locked/,
  );
  assert.equal(server.seen.length, 0);
});

/** A stream that notes whether it was cancelled. */
function createWatched(): { body: ReadableStream<Uint8Array>; isCancelled: () => boolean } {
  let isCancelled = false;
  const body = new ReadableStream<Uint8Array>({ cancel: () => void (isCancelled = true) });
  return { body, isCancelled: () => isCancelled };
}

test("createDigestFetch() cancels a stream that is aborted before it is sent, as fetch does", async () => {
  const reason = new Error("enough");
  const before = createWatched();
  const init = { method: "POST", signal: AbortSignal.abort(reason) };
  await assert.rejects(client(createDigestServer())(BASE, { ...init, body: before.body }), reason);
  assert.equal(before.isCancelled(), true);

  for (const status of [200, 401]) { // while the challenge is asked for
    const controller = new AbortController();
    const during = createWatched();
    const { fetch, sent } = createRecorder(() => {
      controller.abort(reason);
      return status === 401 ? challenged() : new Response();
    });
    const call = client({ fetch })(BASE, { method: "POST", body: during.body, signal: controller.signal });
    await assert.rejects(call, reason);
    assert.equal(during.isCancelled(), true);
    assert.deepEqual(sent.map(({ method }) => method), ["GET"]);
  }
});

test("createDigestFetch() cancels a stream behind a 401 that it cannot answer", async () => {
  const { body, isCancelled } = createWatched();
  const { fetch, sent } = createRecorder(() => challenged('Basic realm="r"'));
  const response = await client({ fetch })(BASE, { method: "POST", body });
  assert.equal(response.status, 401);
  assert.equal(await response.text(), "who are you?");
  assert.equal(isCancelled(), true);
  assert.equal(sent.length, 1);
});

test("createDigestFetch() loses no stream for a mistake of the caller's", async () => {
  const { body, isCancelled } = createWatched();
  const fetch = client(createDigestServer());
  await assert.rejects(fetch(BASE, { method: "POST", body, headers: { authorization: "x" } }), TypeError);
  await assert.rejects(fetch(BASE, { method: "POST", body, headers: { "bad name": "x" } }), TypeError);
  assert.equal(isCancelled(), false);
  assert.equal(body.locked, false);
});

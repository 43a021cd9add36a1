import assert from "node:assert/strict";
import { test } from "node:test";
import { createDigestFetch } from "../lib/digest/digest_fetch.ts";
import { ada, BASE, client } from "./digest_client.ts";
import { createDigestServer } from "./digest_server.ts";
import { serving } from "./serving.ts";

const isBun = "Bun" in globalThis;

test("createDigestFetch() honours a signal before, between and after", async () => {
  const reason = new Error("enough");
  const server = createDigestServer();
  await assert.rejects(client(server)(BASE, { signal: AbortSignal.abort(reason) }), reason);
  await assert.rejects(client(server)(new Request(BASE, { signal: AbortSignal.abort(reason) })), reason);
  assert.equal(server.seen.length, 0);

  const between = new AbortController();
  const aborting = createDigestServer({
    challenge: (nonce) => {
      globalThis.setImmediate(() => between.abort(reason)); // in the turn that passes before the retry
      return { "www-authenticate": `Digest realm="engine", nonce="${nonce}", qop="auth"` };
    },
  });
  await assert.rejects(client(aborting)(BASE, { signal: between.signal }), reason);
  assert.equal(aborting.seen.length, 1);

  const after = new AbortController();
  const response = await client(server)(BASE, { signal: after.signal });
  after.abort(reason);
  assert.equal(await response.text(), "welcome");
  assert.equal((await client(server)(BASE, { signal: null })).status, 200);
});

test("createDigestFetch() honours a signal while a 401 hangs half way", async () => {
  await serving((_request, response) => {
    response.writeHead(401, { "www-authenticate": 'Digest realm="r", nonce="n", qop="auth"' });
    response.write("half");
  }, async (url) => {
    const fetch = createDigestFetch(ada);
    await assert.rejects(fetch(url, { signal: AbortSignal.timeout(200) }), { name: "TimeoutError" });
  });
});

test("createDigestFetch() honours a signal while a body hangs that knows nothing of it", async () => {
  const reason = new Error("enough");
  const hanging = () => new ReadableStream({ start: (controller) => controller.enqueue(new Uint8Array(1)) });
  const challenge = { "www-authenticate": 'Digest realm="r", nonce="n", qop="auth"' };
  const refusing = createDigestFetch({
    ...ada,
    fetch: () => Promise.resolve(new Response(hanging(), { status: 401, headers: challenge })),
  });
  const controller = new AbortController();
  const { signal } = controller;
  const calls = [refusing(BASE, { signal })];
  if (!isBun) { // whose Request cannot be read while its stream is open
    const init: object = { method: "POST", body: hanging(), duplex: "half", signal };
    calls.push(client(createDigestServer())(new Request(BASE, init)));
  }
  setTimeout(() => controller.abort(reason), 20);
  for (const result of await Promise.allSettled(calls)) {
    assert.equal(result.status, "rejected");
    assert.equal(result.status === "rejected" && result.reason, reason);
  }
});

import assert from "node:assert/strict";
import { test } from "node:test";
import { BASE, client } from "./digest_client.ts";
import { createDigestServer } from "./digest_server.ts";
import { askForDigest, challenged, createRecorder } from "./recorder.ts";
import { connectionError } from "./retry_answers.ts";
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
    const controller = new AbortController();
    const reason = new Error("enough");
    const { fetch, sent } = createRecorder(async ({ init }) => {
      const response = await globalThis.fetch(url, init);
      setTimeout(() => controller.abort(reason)); // when the body is being read
      return response;
    });
    await assert.rejects(client({ fetch })(url, { signal: controller.signal }), reason);
    assert.equal(sent.length, 1);
  });
});

test("createDigestFetch() honours a signal while a body hangs that knows nothing of it", async () => {
  const reason = new Error("enough");
  const hanging = (controller: AbortController) => {
    const pull = () => void setTimeout(() => controller.abort(reason)); // once it is being read
    return new ReadableStream<Uint8Array>({ pull }, { highWaterMark: 0 });
  };
  const refused = new AbortController();
  const { fetch } = createRecorder(() => new Response(hanging(refused), challenged()));
  await assert.rejects(client({ fetch })(BASE, { signal: refused.signal }), reason);

  if (isBun) return; // its Request cannot be read while its stream is open
  const sending = new AbortController();
  const init: object = { method: "POST", body: hanging(sending), duplex: "half", signal: sending.signal };
  await assert.rejects(client(createDigestServer())(new Request(BASE, init)), reason);
});

/** The signal of a polyfill: no reason, no throwIfAborted. */
function createPolyfill(): { signal: AbortSignal; abort: () => void } {
  const target = new EventTarget();
  const signal = Object.assign(target, { aborted: false, reason: undefined, onabort: null });
  const abort = () => {
    signal.aborted = true;
    target.dispatchEvent(new Event("abort"));
  };
  const asGiven: { signal: AbortSignal } = Object({ signal });
  return { ...asGiven, abort };
}

test("createDigestFetch() takes the signal of a polyfill, before, between and after", async () => {
  const before = createPolyfill();
  before.abort();
  const { fetch, sent } = createRecorder(() => challenged());
  await assert.rejects(client({ fetch })(BASE, { signal: before.signal }), { name: "AbortError" });
  assert.equal(sent.length, 0);

  const between = createPolyfill();
  const aborting = createRecorder(() => {
    between.abort();
    return challenged();
  });
  await assert.rejects(client(aborting)(BASE, { signal: between.signal }), { name: "AbortError" });
  assert.equal(aborting.sent.length, 1);

  const never = createPolyfill();
  assert.equal((await client(createRecorder(askForDigest))(BASE, { signal: never.signal })).status, 200);
});

test("createDigestFetch() rejects with null if that is the reason of the abort, as fetch does", async () => {
  for (const fetch of [client(createRecorder()), globalThis.fetch]) {
    await assert.rejects(fetch(BASE, { signal: AbortSignal.abort(null) }), (thrown) => thrown === null);
  }
});

test("createDigestFetch() rejects with the reason of an abort, whatever fails at the same time", async () => {
  const reason = new Error("enough");
  for (const error of [connectionError("ECONNRESET"), new DOMException("Aborted", "AbortError"), new Error("x")]) {
    const controller = new AbortController();
    const { fetch, sent } = createRecorder(() => {
      controller.abort(reason);
      return Promise.reject(error);
    });
    await assert.rejects(client({ fetch })(BASE, { signal: controller.signal }), (thrown) => thrown === reason);
    assert.equal(sent.length, 1);
  }
});

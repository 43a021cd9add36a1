import assert from "node:assert/strict";
import { test } from "node:test";
import { BASE, client, countsOf } from "./digest_client.ts";
import { createDigestServer } from "./digest_server.ts";
import { createRecorder } from "./recorder.ts";

test("createDigestFetch() returns a 401 that it cannot answer untouched, and never sends Basic", async () => {
  const challenges = [
    undefined,
    'Basic realm="b"',
    "Negotiate",
    'Digest realm="d"',
    'Digest nonce="n", algorithm=SHA-1',
    'Digest nonce="n", qop="auth-conf"',
  ];
  for (const challenge of challenges) {
    const unanswerable = new Response("no", {
      status: 401,
      ...(challenge !== undefined && { headers: { "www-authenticate": challenge } }),
    });
    const { fetch, sent } = createRecorder(() => unanswerable);
    assert.equal(await client({ fetch })(BASE), unanswerable);
    assert.equal(unanswerable.bodyUsed, false);
    assert.deepEqual(sent.map(({ headers }) => headers.get("authorization")), [null]);
  }
});

test("createDigestFetch() keeps nothing of a fresh nonce refused with another scheme", async () => {
  const server = createDigestServer({
    answer: () => new Response("", { status: 401, headers: { "www-authenticate": "Basic" } }),
  });
  const fetch = client(server);
  await fetch(BASE);
  await fetch(BASE);
  assert.deepEqual(countsOf(server), [undefined, "00000001", undefined, "00000001"]);
});

test("createDigestFetch() leaves 407 alone", async () => {
  const headers = { "proxy-authenticate": 'Digest nonce="n", qop="auth"' };
  const { fetch, sent } = createRecorder(() => new Response("", { status: 407, headers }));
  assert.equal((await client({ fetch })(BASE)).status, 407);
  assert.equal(sent.length, 1);
});

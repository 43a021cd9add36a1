import assert from "node:assert/strict";
import { test } from "node:test";
import { createDigestFetch } from "../lib/digest/digest_fetch.ts";
import { ada, BASE, client } from "./digest_client.ts";
import { createDigestServer, servingDigest } from "./digest_server.ts";
import { streamOf } from "./stream.ts";

test("createDigestFetch() sends every kind of body the same each time", async () => {
  const form = new FormData();
  form.set("a", "b");
  form.set("file", new Blob(["content"], { type: "text/x" }), "name.txt");
  const bytes = new TextEncoder().encode("bytes");
  const bodies = [
    "text",
    bytes,
    bytes.buffer,
    new DataView(bytes.buffer, 1, 3),
    new Blob(["blob"], { type: "text/b" }),
    form,
    new URLSearchParams("a=b&c=d"),
  ];
  for (const body of bodies) {
    const seen: [string | null, string][] = [];
    const server = createDigestServer({ refuses: ({ uses }) => uses > 0 ? "stale" : undefined });
    const fetch = client({
      fetch: async (input, init) => {
        const request = new Request(input, init);
        seen.push([request.headers.get("content-type"), await request.text()]);
        return await server.fetch(input, init);
      },
    });
    assert.equal((await fetch(BASE, { method: "POST", body })).status, 200);
    assert.equal((await fetch(BASE, { method: "POST", body })).status, 200);
    const [first, second, , third] = seen;
    assert.deepEqual(second, first);
    if (body !== form) assert.deepEqual(third, first); // another call takes another boundary
    const native = new Request(BASE, { method: "POST", body });
    assert.equal(
      first?.[0]?.replace(/boundary=.*/, ""),
      native.headers.get("content-type")?.replace(/boundary=.*/, ""),
    );
    if (body !== form) assert.equal(first?.[1], await native.text());
    else assert.match(first?.[1] ?? "", /name="file"; filename="name.txt"\r\nContent-Type: text\/x\r\n\r\ncontent/);
  }
});

test("createDigestFetch() keeps a caller's Content-Type", async () => {
  const server = createDigestServer();
  await client(server)(BASE, {
    method: "POST",
    body: new URLSearchParams("a=b"),
    headers: { "content-type": "text/x" },
  });
  assert.deepEqual(server.seen.map(({ headers }) => headers.get("content-type")), ["text/x", "text/x"]);
});

test("createDigestFetch() sends the bytes of the moment of the call", async () => {
  const server = createDigestServer();
  const bytes = new TextEncoder().encode("before");
  const params = new URLSearchParams("a=before");
  const calls = [
    client(server)(BASE, { method: "POST", body: bytes }),
    client(server)(BASE, { method: "POST", body: params }),
  ];
  bytes.fill(120);
  params.set("a", "after");
  await Promise.all(calls);
  assert.deepEqual(server.seen.map(({ body }) => body).sort(), ["a=before", "a=before", "before", "before"]);
});

test("createDigestFetch() refuses a plain object as body", async () => {
  const server = createDigestServer();
  for (const body of [{ a: 1 }, [1], { url: "https://h.example/hook" }, { locked: true }]) {
    const init: object = { method: "POST", body };
    await assert.rejects(client(server)(BASE, init), /^TypeError: Cannot send an object as body: use JSON.stringify$/);
  }
  assert.equal(server.seen.length, 0);
});

test("createDigestFetch() asks first with a body over 16 KiB, but only without a nonce", async () => {
  for (const [size, asks] of [[16 * 1024, false], [16 * 1024 + 1, true]] as const) {
    for (const body of ["x".repeat(size), new Uint8Array(size), new Blob(["x".repeat(size)])]) {
      const server = createDigestServer();
      const fetch = client(server);
      const headers = {
        "X-A": "b",
        "Content-Type": "text/x",
        "Content-Encoding": "gzip",
        "If-Match": "e",
        Range: "bytes=0-1",
        Accept: "x/y",
      };
      assert.equal((await fetch(`${BASE}/a?b`, { method: "POST", body, headers })).status, 200);
      assert.equal((await fetch(`${BASE}/a?b`, { method: "POST", body, headers })).status, 200);
      assert.deepEqual(server.seen.map(({ method }) => method), [asks ? "GET" : "POST", "POST", "POST"]);
      const [first] = server.seen;
      assert.equal(first?.uri, "/a?b");
      if (!asks) continue;
      assert.equal(first?.body, "");
      assert.deepEqual([...(first?.headers ?? [])].map(([name]) => name).sort(), ["accept", "x-a"]);
      assert.deepEqual(server.seen.slice(1).map(({ body }) => body.length), [size, size]);
      assert.equal(server.seen[1]?.headers.get("if-match"), "e");
    }
  }
  const server = createDigestServer();
  await client(server)(BASE, { method: "POST", body: "ä".repeat(8193) }); // counts bytes, not characters
  assert.equal(server.seen[0]?.method, "GET");
});

test("createDigestFetch() uploads 1 MiB once, cold and warm", async () => {
  const body = "x".repeat(2 ** 20);
  await servingDigest({}, async ({ url, seen }) => {
    const fetch = createDigestFetch(ada);
    for (const total of [2 ** 20, 2 ** 21]) {
      assert.equal((await fetch(url, { method: "POST", body })).status, 200);
      assert.equal(seen.reduce((sum, { body }) => sum + body.length, 0), total);
    }
    assert.equal(seen.length, 3);
  });
});

test("createDigestFetch() sends a large body unsigned where nobody asks for a signature", async () => {
  const server = createDigestServer({
    open: ({ method }) => new Response(method, { status: method === "GET" ? 405 : 201 }),
  });
  const response = await client(server)(BASE, { method: "PUT", body: "x".repeat(20_000) });
  assert.equal(response.status, 201);
  assert.deepEqual(server.seen.map(({ method, credentials }) => [method, credentials]), [["GET", undefined], [
    "PUT",
    undefined,
  ]]);
});

test("createDigestFetch() returns the 401 to the asking GET if it cannot be answered", async () => {
  for (const body of ["x".repeat(20_000), streamOf("x")]) {
    const server = createDigestServer({
      open: () => new Response("basic only", { status: 401, headers: { "www-authenticate": "Basic" } }),
    });
    const response = await client(server)(BASE, { method: "POST", body, ...{ duplex: "half" } });
    assert.equal(await response.text(), "basic only");
    assert.deepEqual(server.seen.map(({ method }) => method), ["GET"]);
  }
});

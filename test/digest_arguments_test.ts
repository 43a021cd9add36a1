import assert from "node:assert/strict";
import { test } from "node:test";
import { inspect } from "node:util";
import { createDigestFetch } from "../lib/digest/digest_fetch.ts";
import { ada, BASE, client } from "./digest_client.ts";
import { createDigestServer } from "./digest_server.ts";
import { streamOf } from "./stream.ts";

const isBun = "Bun" in globalThis;

test("createDigestFetch() reads the body of a Request into memory and uses it up, as fetch does", async () => {
  const server = createDigestServer();
  const request = new Request(`${BASE}/r`, { method: "POST", body: "abc", headers: { "x-a": "b" } });
  assert.equal((await client(server)(request)).status, 200);
  assert.deepEqual(
    server.seen.map(({ method, body, headers }) => [method, body, headers.get("x-a"), headers.get("content-type")]),
    [
      ["POST", "abc", "b", request.headers.get("content-type")],
      ["POST", "abc", "b", request.headers.get("content-type")],
    ],
  );
  assert.equal(request.headers.has("authorization"), false);
  assert.equal(request.bodyUsed, true);
  await assert.rejects(client(server)(request), TypeError);
  assert.equal(server.seen.length, 2);
});

test("createDigestFetch() lets init override a Request", async () => {
  const server = createDigestServer();
  const request = new Request(`${BASE}/r`, { method: "POST", body: "abc", headers: { "x-a": "b" } });
  await client(server)(request, { method: "PUT", body: "def", headers: [["x-c", "d"]] });
  const last = server.seen.at(-1);
  assert.deepEqual([last?.method, last?.body, last?.headers.get("x-a"), last?.headers.get("x-c")], [
    "PUT",
    "def",
    null,
    "d",
  ]);
});

test("createDigestFetch() lets an empty body of init override that of a Request", async () => {
  const server = createDigestServer();
  await client(server)(new Request(`${BASE}/r`, { method: "POST", body: "old" }), { body: "" });
  assert.deepEqual(server.seen.map(({ body }) => body), ["", ""]);
  await client(server)(new Request(`${BASE}/r`, { method: "POST", body: "old" }), { body: null });
  assert.equal(server.seen.at(-1)?.body, "old"); // as fetch has it
});

test("createDigestFetch() changes nothing of the caller's", async () => {
  const server = createDigestServer();
  const headers = new Headers({ "x-a": "b" });
  const init = { method: "POST", body: new URLSearchParams("a=b"), headers };
  const before = inspect(init);
  const url = new URL(`${BASE}/p?#f`);
  await client(server)(url, Object.freeze(init));
  assert.equal(inspect(init), before);
  assert.deepEqual([...headers], [["x-a", "b"]]);
  assert.equal(url.href, `${BASE}/p?#f`);
});

test("createDigestFetch() takes headers in every form", async () => {
  const server = createDigestServer();
  const fetch = client(server);
  const tuples: [string, string][] = [["x-a", "b"], ["x-a", "c"]];
  for (const headers of [new Headers(tuples), tuples, { "X-A": "b, c" }]) {
    await fetch(BASE, { headers });
    assert.equal(server.seen.at(-1)?.headers.get("x-a"), "b, c");
  }
});

test("createDigestFetch() hands the runtime its extras", async () => {
  const inits: unknown[] = [];
  const server = createDigestServer();
  const fetch = client({
    fetch: (input, init) => {
      inits.push(init);
      return server.fetch(input, init);
    },
  });
  const dispatcher = {};
  const init: object = { method: "POST", body: streamOf("x"), cache: "no-store", proxy: undefined, marker: dispatcher };
  await fetch(BASE, init);
  for (const seen of inits) assert.equal(Reflect.get(Object(seen), "marker"), dispatcher);
  assert.equal(inits.length, 2);
});

test("createDigestFetch() refuses a GET or HEAD with a body on every runtime, before anything is sent", async () => {
  const server = createDigestServer();
  for (const method of ["GET", "get", "HEAD"]) {
    await assert.rejects(client(server)(BASE, { method, body: "x" }), (error: unknown) => {
      return error instanceof TypeError && error.message.includes(`a body with ${method.toUpperCase()}`);
    });
  }
  await assert.rejects(client(server)(BASE, { body: "" }), TypeError);
  await assert.rejects(client(server)(new Request(BASE, { method: "POST", body: "x" }), { method: "GET" }), TypeError);
  assert.equal(server.seen.length, 0);
});

test("createDigestFetch() refuses what is no absolute HTTP URL, and credentials in one, without showing them", async () => {
  const server = createDigestServer();
  for (
    const url of [
      "",
      "/groups",
      "http://",
      "ftp://example.com",
      "http://ada:sekret@digest.example/",
      "http://sekret@[",
      "sekret@digest.example",
    ]
  ) {
    await assert.rejects(
      client(server)(url),
      (error: unknown) => error instanceof TypeError && !inspect(error).includes("sekret"),
      url,
    );
  }
  assert.equal(server.seen.length, 0);
});

test("createDigestFetch() refuses methods that fetch refuses", async () => {
  for (const method of ["CONNECT", "TRACE", "a b", ""]) {
    if (isBun && new Request(BASE, { method })) continue; // Bun refuses none of them
    await assert.rejects(client(createDigestServer())(BASE, { method }), TypeError, method);
  }
});

test("createDigestFetch() looks the global fetch up at each request", async () => {
  const original = globalThis.fetch;
  const server = createDigestServer();
  const fetch = createDigestFetch(ada);
  try {
    globalThis.fetch = Object.assign(server.fetch, { preconnect: () => {} });
    assert.equal((await fetch(BASE)).status, 200);
  } finally {
    globalThis.fetch = original;
  }
});

test("createDigestFetch() takes null for init, as fetch does", async () => {
  const nothing: undefined = JSON.parse("null");
  assert.equal((await client(createDigestServer())(BASE, nothing)).status, 200);
});

test("createDigestFetch() makes no body with the global Blob, which jsdom replaces by one that fetch cannot send", async () => {
  const original = globalThis.Blob;
  const form = new FormData();
  form.set("a", "b");
  const bodies: [body: () => NonNullable<RequestInit["body"]>, sent: RegExp][] = [
    [() => "text", /^text$/],
    [() => new TextEncoder().encode("bytes"), /^bytes$/],
    [() => new TextEncoder().encode("buffer").buffer, /^buffer$/],
    [() => new URLSearchParams("a=b"), /^a=b$/],
    [() => form, /name="a"\r\n\r\nb/],
    [() => new original(["blob"]), /^blob$/],
    [() => new TextEncoder().encode("x".repeat(20_000)), /^x+$/],
  ];
  globalThis.Blob = class extends original {
    override stream(): never {
      throw new TypeError("object.stream is not a function");
    }
    override arrayBuffer(): never {
      throw new TypeError("object.arrayBuffer is not a function");
    }
  };
  try {
    for (const [make, sent] of bodies) {
      const inputs: (() => [string | Request, RequestInit])[] = [
        () => [BASE, { method: "POST", body: make() }],
        () => [new Request(BASE, { method: "POST", body: make() }), {}],
      ];
      for (const input of inputs) {
        const server = createDigestServer();
        assert.equal((await client(server)(...input())).status, 200);
        assert.match(server.seen.at(-1)?.body ?? "", sent);
      }
    }
  } finally {
    globalThis.Blob = original;
  }
});

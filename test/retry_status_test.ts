import assert from "node:assert/strict";
import type { RequestListener } from "node:http";
import { test } from "node:test";
import { createAtlasFetch } from "../lib/atlas_fetch.ts";
import type { Fetch } from "../lib/digest/call.ts";
import { createRetryFetch } from "../lib/retry_fetch.ts";
import { withTimers } from "./clock.ts";
import { createRecorder } from "./recorder.ts";
import { answer, PLACE } from "./retry_answers.ts";
import { serving } from "./serving.ts";

test("createRetryFetch() repeats a 429 for every method, and 500, 502, 503, 504 for GET and HEAD only", async () => {
  const statuses = [200, 204, 301, 304, 400, 401, 403, 404, 407, 408, 409, 410, 425, 429, 500, 501, 502, 503, 504, 505];
  for (const method of ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "QUERY"]) {
    for (const status of statuses) {
      const isSafe = method === "GET" || method === "HEAD";
      const isRepeated = status === 429 || (isSafe && [500, 502, 503, 504].includes(status));
      const first = new Response(null, { status, headers: { "Retry-After": "0" } });
      const { fetch, sent } = createRecorder(() => first, answer(299));
      const response = await createRetryFetch({ limit: 1, maxDelay: 0, fetch })(PLACE, { method });
      assert.equal(sent.length, isRepeated ? 2 : 1, `${method} ${status}`);
      if (isRepeated) assert.equal(response.status, 299);
      else assert.equal(response, first);
    }
  }
});

test("createRetryFetch() takes a method in lower case, and that of a Request, as fetch does", async () => {
  for (
    const [input, init] of [
      [PLACE, { method: "get" }],
      [new URL(PLACE), { method: "head" }],
      [new Request(PLACE, { method: "HEAD" }), undefined],
      [new Request(PLACE, { method: "POST", body: "x" }), { method: "GET", body: null }],
    ] as const
  ) {
    const { fetch, sent } = createRecorder(answer(503, "0"), answer(200));
    if (input instanceof Request && input.method === "POST") {
      await assert.rejects(createRetryFetch({ maxDelay: 0, fetch })(input, init), TypeError); // a GET with a body
      assert.equal(sent.length, 0);
      continue;
    }
    assert.equal((await createRetryFetch({ maxDelay: 0, fetch })(input, init)).status, 200);
    assert.equal(sent.length, 2);
  }
});

test("createRetryFetch() returns the last answer with its body unread when it has no try left", async () => {
  for (const limit of [0, 1, 4]) {
    const { fetch, sent } = createRecorder(answer(429, "0"));
    const response = await createRetryFetch({ limit, maxDelay: 0, fetch })(PLACE, { method: "POST", body: "x" });
    assert.equal(sent.length, limit + 1);
    assert.equal(response.status, 429);
    assert.equal(await response.text(), "answer");
  }
});

test("createRetryFetch() tries twice more and waits a minute at most unless told otherwise", async () => {
  for (const options of [{}, { limit: undefined, maxDelay: undefined }]) {
    await withTimers({ random: 0.5 }, async (waits) => {
      const { fetch, sent } = createRecorder(answer(503, "60"));
      await createRetryFetch({ ...options, fetch })(PLACE);
      assert.equal(sent.length, 3);
      assert.deepEqual(waits, [60_000, 60_000]);
      const later = createRecorder(answer(503, "61"));
      await createRetryFetch({ ...options, fetch: later.fetch })(PLACE);
      assert.equal(later.sent.length, 1);
    });
  }
});

test("createRetryFetch() refuses options out of range when it is made", () => {
  for (const limit of [-1, 1.5, NaN, Infinity, -Infinity]) {
    assert.throws(() => createRetryFetch({ limit }), RangeError);
    assert.throws(() => createAtlasFetch({ retry: { limit } }), RangeError);
  }
  for (const maxDelay of [-1, NaN, Infinity, -Infinity, 2 ** 31]) {
    assert.throws(() => createRetryFetch({ maxDelay }), RangeError);
    assert.throws(() => createAtlasFetch({ retry: { maxDelay } }), RangeError);
  }
  createRetryFetch({ limit: 0, maxDelay: 0 });
  createRetryFetch({ limit: 1e9, maxDelay: 2 ** 31 - 1 });
});

test("createRetryFetch() looks the global fetch up at each try", async () => {
  const original = globalThis.fetch;
  const retryFetch = createRetryFetch({ maxDelay: 0 });
  const { fetch, sent } = createRecorder(answer(503, "0"), answer(200));
  globalThis.fetch = fetch;
  try {
    assert.equal((await retryFetch(PLACE)).status, 200);
  } finally {
    globalThis.fetch = original;
  }
  assert.equal(sent.length, 2);
});

test("createRetryFetch() changes neither the caller's init nor its headers", async () => {
  const headers = new Headers({ accept: "text/plain" });
  const init = Object.freeze({ method: "POST", headers, body: "x" });
  const { fetch, sent } = createRecorder(answer(429, "0"), answer(200));
  const spoiling: Fetch = (input, init) => {
    const response = fetch(input, init);
    assert.ok(init?.headers instanceof Headers);
    init.headers.set("accept", "spoilt");
    return response;
  };
  await createRetryFetch({ maxDelay: 0, fetch: spoiling })(PLACE, init);
  assert.equal(sent.length, 2);
  assert.deepEqual([...headers], [["accept", "text/plain"]]);
});

test("createRetryFetch() sends no POST again for a 429 behind a redirect, but what that led to", async () => {
  const following: Fetch = (input, init) => globalThis.fetch(input, init);
  for (const method of ["POST", "GET"]) {
    const seen: string[] = [];
    const listener: RequestListener = (request, response) => {
      seen.push(`${request.method} ${request.url}`);
      if (request.url === "/do") return void response.writeHead(303, { location: "/done" }).end();
      response.writeHead(seen.length < 3 ? 429 : 200, { "retry-after": "0" }).end();
    };
    await serving(listener, async (url) => {
      const first = [`${method} /do`, "GET /done"];
      assert.equal((await createRetryFetch()(`${url}/do`, { method })).status, 200);
      assert.deepEqual(seen.splice(0), [...first, "GET /done"]);
      const { status } = await createRetryFetch({ fetch: following })(`${url}/do`, { method });
      assert.deepEqual([status, seen], method === "GET" ? [200, [...first, ...first]] : [429, first]);
    });
  }
});

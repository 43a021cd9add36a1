import assert from "node:assert/strict";
import type { RequestListener } from "node:http";
import { buffer } from "node:stream/consumers";
import { test } from "node:test";
import { setImmediate as turn } from "node:timers/promises";
import { createRetryFetch } from "../lib/retry_fetch.ts";
import { createRecorder } from "./recorder.ts";
import { answer, lost, PLACE } from "./retry_answers.ts";
import { reasonOf, serving } from "./serving.ts";

interface Received {
  body: string;
  type: string | undefined;
}

/** Refuses twice with a 429, then answers 200; keeps what it got. */
function refusingTwice(received: Received[]): RequestListener {
  return async (request, response) => {
    const body = (await buffer(request)).toString("latin1");
    received.push({ body, type: request.headers["content-type"] });
    response.writeHead(received.length < 3 ? 429 : 200, { "Retry-After": "0" }).end();
  };
}

test("createRetryFetch() replays a body whole and alike, FormData with its boundary", async () => {
  const form = new FormData();
  form.set("field", "välue");
  form.set("file", new Blob([new Uint8Array(70_000).fill(7)], { type: "image/png" }), "a.png");
  const bytes = Uint8Array.from({ length: 100_000 }, (_, index) => index % 256);
  const bodies: NonNullable<RequestInit["body"]>[] = [
    "",
    "text €",
    '{ "json": true }'.repeat(10_000),
    bytes,
    bytes.subarray(10, 20),
    bytes.buffer,
    new DataView(bytes.buffer, 3, 5),
    new Blob([bytes], { type: "application/gzip" }),
    new URLSearchParams({ grant: "a b&c" }),
    form,
  ];
  for (const body of bodies) {
    for (const input of [undefined, "request"]) {
      const received: Received[] = [];
      await serving(refusingTwice(received), async (url) => {
        const retryFetch = createRetryFetch({ maxDelay: 2 });
        const response = input === undefined
          ? await retryFetch(url, { method: "POST", body })
          : await retryFetch(new Request(url, { method: "POST", body }));
        assert.equal(response.status, 200);
        assert.equal(received.length, 3);
        const [first] = received;
        assert.deepEqual(received, [first, first, first]);
        const plain = new Request("http://localhost", { method: "POST", body });
        assert.equal(
          first?.type?.replace(/boundary=.*/, ""),
          plain.headers.get("content-type")?.replace(/boundary=.*/, ""),
        );
        if (body === form) {
          const boundary = /boundary="?([^"]+)/.exec(first?.type ?? "")?.[1] ?? "";
          assert.ok(first?.body.startsWith(`--${boundary}\r\n`));
          assert.ok(first?.body.trimEnd().endsWith(`--${boundary}--`));
        } else {
          assert.equal(first?.body, Buffer.from(await plain.arrayBuffer()).toString("latin1"));
        }
      });
    }
  }
});

test("createRetryFetch() sends a caller's bytes as they were when it was called", async () => {
  const received: Received[] = [];
  await serving(refusingTwice(received), async (url) => {
    const body = new Uint8Array([97, 98, 99]);
    const call = createRetryFetch({ maxDelay: 2 })(url, { method: "PUT", body });
    await turn();
    body.fill(120);
    await call;
    assert.deepEqual(received.map((request) => request.body), ["abc", "abc", "abc"]);
  });
});

test("createRetryFetch() sends a stream once, whatever comes", async () => {
  async function* chunks(): AsyncGenerator<Uint8Array> {
    yield await Promise.resolve(new Uint8Array([1]));
  }
  const init = (body: unknown): RequestInit => {
    const init: RequestInit = { method: "POST" };
    Reflect.set(init, "body", body); // the types of runtimes differ in what a body may be
    return init;
  };
  for (const make of [() => new Blob(["x"]).stream(), chunks]) {
    for (const status of [429, 503]) {
      const { fetch, sent } = createRecorder(answer(status, "0"));
      const response = await createRetryFetch({ limit: 5, maxDelay: 1, fetch })(PLACE, init(make()));
      assert.equal(response.status, status);
      assert.equal(response.bodyUsed, false);
      assert.equal(sent.length, 1);
    }
    const { fetch, sent } = createRecorder(lost);
    const error = await reasonOf(createRetryFetch({ limit: 5, maxDelay: 1, fetch })(PLACE, init(make())));
    assert.match(error.message, /may have been executed/);
    assert.equal(sent.length, 1);
  }
});

test("createRetryFetch() reads a Request's stream first, so that it can be repeated", async () => {
  const received: Received[] = [];
  await serving(refusingTwice(received), async (url) => {
    const request = new Request(url, { method: "POST", body: "from a request" });
    assert.ok(request.body instanceof ReadableStream);
    assert.equal((await createRetryFetch({ maxDelay: 2 })(request)).status, 200);
    assert.deepEqual(received.map(({ body }) => body), Array(3).fill("from a request"));
  });
});

test("createRetryFetch() uses the connection of an answer that it dropped again", async () => {
  for (const method of ["GET", "POST"]) {
    let requests = 0;
    await serving((request, response) => {
      request.resume();
      response.writeHead(++requests < 4 ? 429 : 200, { "Retry-After": "0" }).end("x".repeat(3000));
    }, async (url, connections) => {
      const response = await createRetryFetch({ limit: 3, maxDelay: 5 })(url, { method });
      assert.equal(response.status, 200);
      await response.text();
      assert.equal(requests, 4);
      assert.equal(connections(), 1);
    });
  }
});

test("createRetryFetch() drops an answer of any length", async () => {
  let isCancelled = false;
  const endless = () =>
    new Response(
      new ReadableStream<Uint8Array>({
        pull: (controller) => controller.enqueue(new Uint8Array(16 * 1024)),
        cancel: () => void (isCancelled = true),
      }),
      { status: 503, headers: { "Retry-After": "0" } },
    );
  const { fetch } = createRecorder(endless, answer(200));
  assert.equal((await createRetryFetch({ maxDelay: 0, fetch })(PLACE)).status, 200);
  assert.equal(isCancelled, true);
});

import assert from "node:assert/strict";
import { getEventListeners } from "node:events";
import { test } from "node:test";
import { createRetryFetch } from "../lib/retry_fetch.ts";
import { withTimers } from "./clock.ts";
import { createRecorder } from "./recorder.ts";
import { answer, lost, PLACE } from "./retry_answers.ts";
import { reasonOf, serving } from "./serving.ts";

test("createRetryFetch() ends its wait as soon as the signal aborts, and leaves no listener", async () => {
  for (const first of [answer(429, "30"), answer(503, "30"), lost]) {
    const { fetch, sent } = createRecorder(first);
    const controller = new AbortController();
    const reason = new Error("No longer needed");
    const abort = () => controller.abort(reason);
    // The wait itself never ends.
    await withTimers({ random: 0.5, due: abort }, async (waits) => {
      const call = createRetryFetch({ fetch })(PLACE, { signal: controller.signal });
      assert.equal(await reasonOf(call), reason);
      assert.equal(waits.length, 1);
      assert.equal(sent.length, 1);
      assert.equal(getEventListeners(controller.signal, "abort").length, 0);
    });
  }
});

test("createRetryFetch() leaves no listener on the signal of a call that is over", async () => {
  const { signal } = new AbortController();
  const { fetch, sent } = createRecorder(answer(429, "0"), lost, answer(503, "0"), answer(200));
  await createRetryFetch({ limit: 3, maxDelay: 2, fetch })(PLACE, { signal });
  assert.equal(sent.length, 4);
  assert.equal(getEventListeners(signal, "abort").length, 0);
});

test("createRetryFetch() sends nothing for a signal that is aborted already", async () => {
  const { fetch, sent } = createRecorder(answer(200));
  const reason = new Error("Too late");
  const call = createRetryFetch({ fetch })(PLACE, { signal: AbortSignal.abort(reason) });
  assert.equal(await reasonOf(call), reason);
  assert.equal(sent.length, 0);
});

test("createRetryFetch() honours the signal of a Request", async () => {
  const { fetch } = createRecorder(answer(429, "30"));
  const controller = new AbortController();
  await withTimers({ due: () => controller.abort() }, async () => {
    const call = createRetryFetch({ fetch })(new Request(PLACE, { signal: controller.signal }));
    assert.equal((await reasonOf(call)).name, "AbortError");
  });
});

test("createRetryFetch() never repeats an aborted call, whatever the reason", async () => {
  const reasons = [new TypeError("Looks like the network"), new DOMException("Out of time", "TimeoutError")];
  for (const reason of reasons) {
    let requests = 0;
    const controller = new AbortController();
    await serving(() => {
      requests++;
      controller.abort(reason); // while it waits for an answer
    }, async (url) => {
      const call = createRetryFetch({ limit: 5, maxDelay: 1 })(url, { signal: controller.signal });
      assert.equal(await reasonOf(call), reason);
      assert.equal(requests, 1);
    });
  }
  const abort = new DOMException("Aborted by somebody else", "AbortError");
  const { fetch, sent } = createRecorder(() => Promise.reject(abort));
  assert.equal(await reasonOf(createRetryFetch({ limit: 5, maxDelay: 1, fetch })(PLACE)), abort);
  assert.equal(sent.length, 1);
});

test("createRetryFetch() honours the signal while it reads a body that it drops", async () => {
  await serving((_request, response) => {
    response.writeHead(503, { "Retry-After": "0" }).write("never ends");
  }, async (url) => {
    const controller = new AbortController();
    const reason = new Error("Enough");
    const { fetch, sent } = createRecorder(async ({ init }) => {
      const response = await globalThis.fetch(url, init);
      setTimeout(() => controller.abort(reason)); // when the body is being read
      return response;
    });
    const call = createRetryFetch({ fetch })(url, { signal: controller.signal });
    assert.equal(await reasonOf(call), reason);
    assert.equal(sent.length, 1);
  });
});

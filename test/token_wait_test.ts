import assert from "node:assert/strict";
import { getEventListeners } from "node:events";
import { test } from "node:test";
import { setImmediate as turn } from "node:timers/promises";
import { createTokenSource } from "../lib/token_source.ts";
import { createGate } from "./gate.ts";
import { reasonOf } from "./serving.ts";
import { clientId, clientSecret, createDesk, minted } from "./token_desk.ts";

test("createTokenSource() lets one waiter go without failing the others, and leaves no listener", async () => {
  const gate = createGate();
  const desk = createDesk(async () => {
    await gate.opened;
    return minted("t1");
  });
  const token = createTokenSource({ clientId, clientSecret, fetch: desk.fetch });
  const [first, second] = [new AbortController(), new AbortController()];
  const reason = new Error("No longer needed");
  const leaving = token({ signal: first.signal });
  const staying = Promise.all([token({ signal: second.signal }), token()]);
  await turn();
  first.abort(reason);
  assert.equal(await reasonOf(leaving), reason);
  assert.equal(getEventListeners(first.signal, "abort").length, 0); // though the mint goes on
  gate.open();
  assert.deepEqual(await staying, ["t1", "t1"]);
  await turn();
  assert.equal(getEventListeners(second.signal, "abort").length, 0);
  assert.equal(desk.sent.length, 1);
});

test("createTokenSource() finishes the mint that everybody left, for the next who asks", async () => {
  const gate = createGate();
  const desk = createDesk(async () => {
    await gate.opened;
    return minted("t1");
  });
  const token = createTokenSource({ clientId, clientSecret, fetch: desk.fetch });
  const controller = new AbortController();
  const leaving = token({ signal: controller.signal });
  controller.abort();
  assert.equal((await reasonOf(leaving)).name, "AbortError");
  gate.open();
  assert.equal(await token(), "t1");
  assert.equal(desk.sent.length, 1);
});

test("createTokenSource() does nothing for a call that is aborted already", async () => {
  const desk = createDesk();
  const token = createTokenSource({ clientId, clientSecret, fetch: desk.fetch });
  const reason = new Error("Too late");
  assert.equal(await reasonOf(token({ signal: AbortSignal.abort(reason) })), reason);
  assert.equal(desk.sent.length, 0);
  await token();
  assert.equal(await reasonOf(token({ signal: AbortSignal.abort(reason) })), reason);
});

test("createTokenSource() leaves no listener on the signal of a failed mint", async () => {
  const desk = createDesk(() => new Response(null, { status: 500 }));
  const { signal } = new AbortController();
  await reasonOf(createTokenSource({ clientId, clientSecret, fetch: desk.fetch })({ signal }));
  await turn();
  assert.equal(getEventListeners(signal, "abort").length, 0);
});

test("createTokenSource() gives up a mint that hangs, and mints anew for the next call", async () => {
  const { fetch, sent } = createDesk((number) => number === 1 ? new Promise(() => {}) : minted("t2"));
  const token = createTokenSource({ clientId, clientSecret, fetch });
  const original = AbortSignal.timeout;
  const patience: number[] = [];
  AbortSignal.timeout = (ms) => {
    patience.push(ms);
    const controller = new AbortController();
    setTimeout(() => controller.abort(new DOMException("Out of time", "TimeoutError")));
    return controller.signal;
  };
  try {
    await assert.rejects(token(), /^TypeError: Cannot get an access token: .* did not answer$/);
  } finally {
    AbortSignal.timeout = original;
  }
  assert.deepEqual(patience, [10_000]);
  assert.equal(await token(), "t2");
  assert.equal(sent.length, 2);
});

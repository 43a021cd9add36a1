import assert from "node:assert/strict";
import { getEventListeners } from "node:events";
import { test } from "node:test";
import { createTokenSource } from "../lib/token_source.ts";
import { reasonOf } from "./serving.ts";
import { clientId, clientSecret, createDesk, createGate, minted } from "./token_desk.ts";

const sleep = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

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
  await sleep(1);
  first.abort(reason);
  assert.equal(await reasonOf(leaving), reason);
  assert.equal(getEventListeners(first.signal, "abort").length, 0); // though the mint goes on
  gate.open();
  assert.deepEqual(await staying, ["t1", "t1"]);
  await sleep(1);
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
  await sleep(1);
  assert.equal(getEventListeners(signal, "abort").length, 0);
});

test("createTokenSource() gives up a mint that hangs, and mints anew for the next call", async () => {
  const original = AbortSignal.timeout;
  let mints = 0;
  const source = createTokenSource({
    clientId,
    clientSecret,
    fetch: () => ++mints === 1 ? new Promise(() => {}) : Promise.resolve(Response.json({ access_token: "t2" })),
  });
  try {
    AbortSignal.timeout = (ms) => original.call(AbortSignal, ms === 30_000 ? 50 : ms);
    const keepsAlive = setTimeout(() => {}, 5000); // the timers of signals do not
    await assert.rejects(source(), /^TypeError: Cannot get an access token: .* did not answer$/);
    clearTimeout(keepsAlive);
    assert.equal(await source(), "t2");
    assert.equal(mints, 2);
  } finally {
    AbortSignal.timeout = original;
  }
});

import assert from "node:assert/strict";
import { test } from "node:test";
import { createFakeAtlas } from "../lib/testing.ts";
import { ACCEPT, ask, authorization, jsonOf, newNonce, ORG, signed, V2, write } from "./fake_client.ts";

test("createFakeAtlas() answers any host, with links to it and the url of the request", async () => {
  const fake = createFakeAtlas();
  const Authorization = authorization(signed(fake.credentials, { nonce: await newNonce(fake) }));
  const response = await fake("http://localhost:9/api/atlas/v2/#top", {
    headers: { Accept: ACCEPT, Authorization },
  });
  assert.equal(response.url, "http://localhost:9/api/atlas/v2/");
  const { links } = await jsonOf(response);
  assert.deepEqual(links, [{ rel: "self", href: "http://localhost:9/api/atlas/v2" }]);
  assert.equal((await fake(`${V2}/groups?a=b`)).url, `${V2}/groups?a=b`);
});

test("createFakeAtlas() answers HEAD as GET, without the body", async () => {
  const fake = createFakeAtlas();
  const response = await ask(fake, "/groups", { method: "HEAD" });
  assert.equal(response.status, 200);
  assert.equal(response.headers.get("Content-Type"), `${ACCEPT};charset=utf-8`);
  assert.equal(response.url, `${V2}/groups`);
  assert.equal(await response.text(), "");
  assert.equal((await ask(fake, "/groups/x", { method: "HEAD" })).status, 404);
});

test("createFakeAtlas() shows the requests that it got, each with its body", async () => {
  const fake = createFakeAtlas();
  await fake(`${V2}/groups?a=b`, { headers: { "X-Mine": "1" } });
  await write(fake, "POST", "/groups", { name: "a", orgId: ORG });
  await fake(new Request(`${V2}/x`, { method: "PUT", body: "as a Request" }));
  assert.deepEqual(fake.requests.map(({ method, url }) => `${method} ${url}`), [
    `GET ${V2}/groups?a=b`,
    `GET ${V2}/`,
    `POST ${V2}/groups`,
    `PUT ${V2}/x`,
  ]);
  assert.equal(fake.requests[0]?.headers.get("X-Mine"), "1");
  assert.deepEqual(JSON.parse(String(await fake.requests[2]?.text())), { name: "a", orgId: ORG });
  assert.equal(await fake.requests[3]?.text(), "as a Request");
});

test("createFakeAtlas() rejects with the reason of an abort", async () => {
  const fake = createFakeAtlas();
  const reason = new Error("enough");
  const aborted = AbortSignal.abort(reason);
  await assert.rejects(fake(`${V2}/`, { signal: aborted }), reason);
  await assert.rejects(fake(new Request(`${V2}/`, { signal: aborted })), reason);
  assert.equal(fake.requests.length, 0);
  assert.equal((await fake(new Request(`${V2}/`, { signal: aborted }), { signal: null })).status, 401);

  const controller = new AbortController();
  const hanging = new ReadableStream({});
  const init = { method: "POST", body: hanging, duplex: "half" as const, signal: controller.signal };
  const call = fake(`${V2}/groups`, init);
  controller.abort(reason);
  await assert.rejects(call, reason);
  assert.equal(fake.requests.length, 1);
});

test("createFakeAtlas() leaves no listener on a signal", async () => {
  const fake = createFakeAtlas();
  const { signal } = new AbortController();
  let listeners = 0;
  const { addEventListener, removeEventListener } = signal;
  signal.addEventListener = (...args: Parameters<typeof addEventListener>) => {
    listeners++;
    addEventListener.apply(signal, args);
  };
  signal.removeEventListener = (...args: Parameters<typeof removeEventListener>) => {
    listeners--;
    removeEventListener.apply(signal, args);
  };
  assert.equal((await fake(`${V2}/`, { signal })).status, 401);
  await new Promise((resolve) => setTimeout(resolve)); // a turn of the event loop
  assert.equal(listeners, 0);
});

test("createFakeAtlas() rejects what fetch rejects", async () => {
  const fake = createFakeAtlas();
  await assert.rejects(fake("http://"), TypeError);
  const used = new Request(`${V2}/`, { method: "POST", body: "x" });
  await used.text();
  await assert.rejects(fake(used), TypeError);
});

// Devices close the connection after each response without saying so, often under the request that follows.
import assert from "node:assert/strict";
import { createServer, type Socket } from "node:net";
import { test } from "node:test";
import { createDigestFetch } from "../lib/digest/digest_fetch.ts";
import { ada, BASE, client, countsOf } from "./digest_client.ts";
import { createDigestServer } from "./digest_server.ts";
import { createRecorder } from "./recorder.ts";
import { connectionError } from "./retry_answers.ts";
import { reasonOf, serving } from "./serving.ts";

const lost = connectionError("UND_ERR_SOCKET", "other side closed");
const refused = connectionError("ECONNREFUSED");

/** A client whose requests fail by their number, from 1, and the server behind. */
function failing(failures: Record<number, Error>, rules = {}) {
  const server = createDigestServer(rules);
  let requests = 0;
  const fetch = client({
    fetch: async (input, init) => {
      const failure = failures[++requests];
      if (failure) {
        await server.fetch(input, init); // it arrives, and counts
        throw failure;
      }
      return await server.fetch(input, init);
    },
  });
  return { fetch, server };
}

test("createDigestFetch() sends a signed GET or HEAD once more whose connection is lost, with the next count", async () => {
  for (const method of ["GET", "HEAD"]) {
    const { fetch, server } = failing({ 2: lost });
    assert.equal((await fetch(BASE, { method })).status, 200);
    assert.equal((await fetch(BASE, { method })).status, 200);
    assert.deepEqual(countsOf(server), [undefined, "00000001", "00000002", "00000003"]);
  }
});

test("createDigestFetch() rejects with fetch's error for other methods, and signs the next call at once", async () => {
  const { fetch, server } = failing({ 2: lost });
  assert.equal(await reasonOf(fetch(BASE, { method: "POST", body: "x" })), lost);
  assert.equal((await fetch(BASE, { method: "POST", body: "x" })).status, 200);
  assert.deepEqual(countsOf(server), [undefined, "00000001", "00000002"]);
});

test("createDigestFetch() sends a GET with a kept nonce once more too, but no GET twice more", async () => {
  const { fetch, server } = failing({ 3: lost, 5: lost, 6: lost });
  assert.equal((await fetch(BASE)).status, 200);
  assert.equal((await fetch(BASE)).status, 200); // requests 3 and 4
  assert.equal(await reasonOf(fetch(BASE)), lost); // 5 and 6
  assert.equal((await fetch(BASE)).status, 200);
  assert.deepEqual(countsOf(server).slice(1).map((nc) => parseInt(nc ?? "", 16)), [1, 2, 3, 4, 5, 6]);
});

test("createDigestFetch() repeats nothing that was not signed, never sent, or aborted", async () => {
  const unsigned = failing({ 1: lost });
  assert.equal(await reasonOf(unsigned.fetch(BASE)), lost);
  assert.equal(unsigned.server.seen.length, 1);

  const neverMade = failing({ 2: refused });
  assert.equal(await reasonOf(neverMade.fetch(BASE)), refused);
  assert.equal(neverMade.server.seen.length, 2);

  const mistaken = new TypeError("no mock for this URL");
  const { fetch, server } = failing({ 2: mistaken });
  assert.equal(await reasonOf(fetch(BASE)), mistaken);
  assert.equal(server.seen.length, 2);

  const controller = new AbortController();
  const reason = new Error("enough");
  const aborted = createRecorder(() => {
    controller.abort(reason);
    return Promise.reject(lost);
  });
  assert.equal(await reasonOf(client(aborted)(BASE, { signal: controller.signal })), reason);
  assert.equal(aborted.sent.length, 1);
});

test("createDigestFetch() counts a repetition among the six requests for one URL", async () => {
  for (let number = 2; number <= 6; number++) {
    const { fetch, server } = failing({ [number]: lost }, { refuses: () => "stale" });
    const call = fetch(BASE);
    if (number === 6) assert.equal(await reasonOf(call), lost);
    else assert.equal((await call).status, 401);
    assert.equal(server.seen.length, 6);
  }
});

test("createDigestFetch() takes the 401 to a repetition as that to the request itself", async () => {
  const { fetch, server } = failing({ 2: lost }, { password: "another" });
  assert.equal((await fetch(BASE)).status, 401);
  assert.deepEqual(countsOf(server), [undefined, "00000001", "00000002"]);
  assert.equal((await fetch(BASE)).status, 401);
  assert.deepEqual(countsOf(server).slice(3), [undefined, "00000001"]); // one signed request a call
});

const DEVICES: Record<string, (socket: Socket) => void> = {
  "closes right behind the response": (socket) => void socket.end(),
  "closes 5 ms later": (socket) => void setTimeout(() => socket.end(), 5),
  "drops the connection under the second request": (socket) => void socket.once("data", () => socket.destroy()),
};

for (const [what, after] of Object.entries(DEVICES)) {
  test(`createDigestFetch() gets in where a device ${what}`, async () => {
    const counts: (string | undefined)[] = [];
    const device = createServer((socket) => {
      socket.on("error", () => {});
      socket.once("data", (request) => {
        const nc = /nc=(\d+)/.exec(String(request))?.[1];
        counts.push(nc);
        const challenge = 'WWW-Authenticate: Digest realm="r", nonce="n", qop="auth"\r\n';
        const head = nc === undefined ? `HTTP/1.1 401 No\r\n${challenge}` : "HTTP/1.1 200 OK\r\n";
        socket.write(`${head}Content-Length: 2\r\n\r\nok`);
        after(socket);
      });
    });
    await serving(device, async (url) => {
      const fetch = createDigestFetch(ada);
      for (let call = 0; call < 4; call++) {
        const response = await fetch(url);
        assert.equal(response.status, 200);
        assert.equal(await response.text(), "ok");
        await new Promise((resolve) => setTimeout(resolve, 10)); // else Node may open connections by itself, and keep them
      }
      // The first call alone asks without a signature; no count comes twice.
      assert.equal(counts[0], undefined);
      assert.ok(counts.slice(1).every((nc) => nc !== undefined), String(counts));
      assert.equal(new Set(counts).size, counts.length);
    });
  });
}

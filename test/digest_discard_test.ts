import assert from "node:assert/strict";
import { test } from "node:test";
import { createDigestFetch } from "../lib/digest/digest_fetch.ts";
import { ada, BASE, client } from "./digest_client.ts";
import { createDigestServer, type DigestServer, servingDigest } from "./digest_server.ts";
import { serving } from "./serving.ts";

const isNode = !("Deno" in globalThis) && !("Bun" in globalThis);

function clientOfChanged(server: DigestServer, change: (refused: Response) => Response | Promise<Response>) {
  return client({
    fetch: async (input, init) => {
      const response = await server.fetch(input, init);
      return response.status === 401 ? await change(response) : response;
    },
  });
}

test("createDigestFetch() takes one connection for a cold call", async (t) => {
  if (!isNode) return t.skip("undici's sockets are Node's; other runtimes pool by themselves");
  await servingDigest({}, async ({ url, seen, connections }) => {
    assert.equal(await (await createDigestFetch(ada)(url)).text(), "welcome");
    assert.equal(seen.length, 2);
    assert.equal(connections(), 1);
  });
});

test("createDigestFetch() reads at most 64 KiB of a 401 before it goes on", async () => {
  let read = 0;
  let cancelled = false;
  const endless = () =>
    new ReadableStream<Uint8Array>({
      pull: (controller) => {
        read += 1024;
        controller.enqueue(new Uint8Array(1024));
      },
      cancel: () => {
        cancelled = true;
      },
    });
  const server = createDigestServer();
  const fetch = clientOfChanged(server, (refused) => new Response(endless(), refused));
  assert.equal((await fetch(BASE)).status, 200);
  assert.ok(cancelled);
  assert.ok(read >= 64 * 1024 && read <= 70 * 1024, String(read));
});

test("createDigestFetch() does not wait for the end of a body that it drops", async () => {
  await serving((_request, response) => response.end("away"), (away) =>
    serving((request, response) => {
      const { method, headers } = request.resume();
      if (request.url === "/open" && method === "GET") {
        response.writeHead(200, { "content-type": "text/event-stream" }).write(": hello\n\n");
      } else if (request.url === "/moved" && headers.authorization) {
        response.writeHead(302, { location: away }).write("moved");
      } else if (request.url === "/open" || headers.authorization) {
        response.end("welcome");
      } else {
        response.writeHead(401, { "www-authenticate": 'Digest realm="r", nonce="n", qop="auth"' }).write("x");
      }
    }, async (url) => {
      const call = async (path: string, init?: RequestInit) => {
        return await (await createDigestFetch(ada)(url + path, init)).text();
      };
      const calls = [call("/"), call("/moved"), call("/open", { method: "POST", body: "x".repeat(20_000) })];
      assert.deepEqual(await Promise.all(calls), ["welcome", "away", "welcome"]);
    }));
});

test("createDigestFetch() goes on when the fetch that it is given has read the body of a 401", async () => {
  const server = createDigestServer();
  const fetch = clientOfChanged(server, async (refused) => {
    assert.equal(typeof await refused.text(), "string");
    return refused;
  });
  assert.equal(await (await fetch(BASE)).text(), "welcome");
});

test("createDigestFetch() goes on when the body of a 401 is no web stream, as that of node-fetch", async () => {
  const server = createDigestServer();
  const fetch = clientOfChanged(server, (refused) => {
    return Object.defineProperty(refused, "body", { value: { async *[Symbol.asyncIterator]() {} } });
  });
  assert.equal((await fetch(BASE)).status, 200);
});

test("createDigestFetch() goes on when the body of a 401 breaks off", async () => {
  const server = createDigestServer();
  const broken = () => new ReadableStream<Uint8Array>({ pull: (controller) => controller.error(new Error("lost")) });
  const fetch = clientOfChanged(server, (refused) => new Response(broken(), refused));
  assert.equal((await fetch(BASE)).status, 200);
});

/** What workerd throws where a connection fails, and what retries make of it. */

import test, { after } from "node:test";
import assert from "node:assert/strict";
import { createServer, type Server } from "node:net";
import type { Readable } from "node:stream";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import { listen } from "./front.ts";
import { whereInstalled } from "./programs.ts";
import { findFreePort } from "./servers.ts";
import type { Order, Outcome } from "./workers/failing.ts";

const LOST = "Error: Network connection lost.";

const workerd = fileURLToPath(new URL("node_modules/workerd/bin/workerd", import.meta.url));

await whereInstalled("createRetryFetch() knows a lost connection in a Worker", [workerd], async () => {
  const { Miniflare } = await import("miniflare");
  const { outputFiles: [worker] } = await build({
    entryPoints: [fileURLToPath(new URL("workers/failing.ts", import.meta.url))],
    bundle: true,
    write: false,
    format: "esm",
    external: ["node:*"],
  });
  assert.ok(worker);
  const miniflare = new Miniflare({
    modules: true,
    script: worker.text,
    compatibilityDate: "2026-04-01",
    compatibilityFlags: ["nodejs_compat"],
    // Its own account of what it throws.
    handleRuntimeStdio: (...streams: Readable[]) => streams.forEach((stream) => stream.resume()),
  });

  let requests = 0;
  const servers: Server[] = ["", "HTTP/1.1 200 OK\r\nContent-Le", "no HTTP\r\n\r\n"].map((answer) =>
    createServer((socket) => {
      socket.on("error", () => {}).once("data", () => {
        requests++;
        socket.end(answer);
      });
    })
  );
  const [silent, brokenOff, foreign] = await Promise.all(servers.map(listen));
  after(async () => {
    await miniflare.dispose();
    for (const server of servers) server.close();
  });

  async function carryOut(order: Order): Promise<Outcome> {
    requests = 0;
    const response = await miniflare.dispatchFetch("http://worker/", { method: "POST", body: JSON.stringify(order) });
    return JSON.parse(await response.text());
  }

  for (const by of ["createRetryFetch()", "createAtlasFetch()"] as const) {
    // workerd says the same of both.
    const lost: [name: string, origin: string, arrives: boolean][] = [
      ["a closed port", `http://127.0.0.1:${await findFreePort()}`, false],
      ["an end before the answer", `http://127.0.0.1:${silent}`, true],
      ["an end within the answer", `http://127.0.0.1:${brokenOff}`, true],
    ];
    for (const [name, origin, arrives] of lost) {
      test(`${by} repeats only a GET that meets ${name} in a Worker`, async () => {
        const got = await carryOut({ by, origin, method: "GET" });
        assert.deepEqual(got, { message: LOST, thrown: [LOST, LOST, LOST], isOfFetch: true });
        assert.equal(requests, arrives ? 3 : 0);

        const posted = await carryOut({ by, origin, method: "POST" });
        const words = "may have been executed (Network connection lost). Look before you send it again";
        assert.equal(posted.message, `TypeError: Connection lost: POST ${origin}/path ${words}`);
        assert.deepEqual([posted.cause, posted.thrown], [LOST, [LOST]]);
        assert.equal(requests, arrives ? 1 : 0);
      });
    }

    const others: [name: string, origin: string][] = [
      ["an unknown host", "https://nope.invalid"],
      ["TLS to a port without", `https://127.0.0.1:${foreign}`],
      ["what is no HTTP", `http://127.0.0.1:${foreign}`],
    ];
    for (const [name, origin] of others) {
      test(`${by} rejects at once with workerd's own error where it meets ${name}`, async () => {
        for (const method of ["GET", "POST"]) {
          const { message, thrown, isOfFetch } = await carryOut({ by, origin, method });
          assert.match(message, /^Error: internal error; reference = /);
          assert.deepEqual([thrown, isOfFetch], [[message], true]);
        }
      });
    }
  }
});

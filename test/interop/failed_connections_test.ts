/** Connections that are refused, never made or lost: what is tried again, what is said, and what others make of it. */

import test, { after } from "node:test";
import assert from "node:assert/strict";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { createServer as createHttpServer } from "node:http";
import { createServer as createHttpsServer } from "node:https";
import { createServer, type Server } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { inspect } from "node:util";
import isNetworkError from "is-network-error";
import { createAtlasFetch, createRetryFetch, type Fetch } from "../../mod.ts";
import { reasonOf } from "../serving.ts";
import { listen } from "./front.ts";
import { observeFetch } from "./observed_fetch.ts";
import { run, whereInstalled } from "./programs.ts";
import { findFreePort } from "./servers.ts";

const TRIES = 3;
const retry = { limit: TRIES - 1, maxDelay: 2 };
const apiKey = { publicKey: "abcdefgh", privateKey: "0f1e2d3c-secret" };
const serviceAccount = { clientId: "mdb_sa_id_0123456789abcdef01234567", clientSecret: "mdb_sa_sk_secret" };
const patient = { timeout: 60_000 };

/** How a connection fails. */
interface Failure {
  name: string;
  origin: string;
  /** How often a GET may be tried. */
  tries: number[];
  /** The request may have arrived. */
  isLost?: true;
}

await whereInstalled("createRetryFetch() knows how a connection failed", ["openssl"], async () => {
  const servers: Server[] = [];
  const folder = await mkdtemp(join(tmpdir(), "atlas-fetch-certificate-"));
  after(async () => {
    for (const server of servers) server.close();
    await rm(folder, { recursive: true, force: true });
  });
  const serve = (server: Server) => {
    servers.push(server);
    return listen(server);
  };

  const [key, cert] = [join(folder, "key.pem"), join(folder, "cert.pem")];
  const subject = ["-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1"];
  await run("openssl", ["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", key, "-out", cert, ...subject]);
  const selfSigned = await serve(createHttpsServer({ key: await readFile(key), cert: await readFile(cert) }));
  const plain = await serve(createHttpServer((_request, response) => response.end()));
  const silent = await serve(createServer((socket) => {
    socket.on("error", () => {}).once("data", () => socket.destroy());
  }));
  const brokenOff = await serve(createServer((socket) => {
    socket.on("error", () => {}).once("data", () => socket.end("HTTP/1.1 200 OK\r\nContent-Le"));
  }));

  const failures: Failure[] = [
    { name: "a closed port", origin: `http://127.0.0.1:${await findFreePort()}`, tries: [TRIES] },
    { name: "an unknown host", origin: "https://nope.invalid", tries: [TRIES] },
    { name: "a certificate that is refused", origin: `https://127.0.0.1:${selfSigned}`, tries: [1] },
    // On Deno its words are those of a connection that was never made.
    { name: "TLS to a port without", origin: `https://127.0.0.1:${plain}`, tries: [1, TRIES] },
    { name: "an end before the answer", origin: `http://127.0.0.1:${silent}`, tries: [TRIES], isLost: true },
    { name: "an end within the answer", origin: `http://127.0.0.1:${brokenOff}`, tries: [TRIES], isLost: true },
  ];

  for (const { name, origin, tries, isLost } of failures) {
    const makers: [name: string, make: (fetch: Fetch) => Fetch][] = [
      ["createRetryFetch()", (fetch) => createRetryFetch({ ...retry, fetch })],
      ["createAtlasFetch()", (fetch) => createAtlasFetch({ credentials: apiKey, baseUrl: origin, retry, fetch })],
    ];
    for (const [maker, make] of makers) {
      test(`${maker} rejects with fetch's own error for a GET that meets ${name}`, patient, async () => {
        const { fetch, thrown } = observeFetch();
        const error = await reasonOf(make(fetch)(`${origin}/path?key=hunter2`));
        assert.ok(tries.includes(thrown.length), `${thrown.length} tries`);
        assert.equal(error, thrown.at(-1));
        assert.ok(error instanceof TypeError);
      });

      test(`${maker} says of a POST that meets ${name} whether it may have been executed`, patient, async () => {
        const { fetch, thrown } = observeFetch();
        const error = await reasonOf(make(fetch)(`${origin}/path?key=hunter2`, { method: "POST", body: "once" }));
        assert.ok(error instanceof TypeError);
        if (!isLost) {
          assert.ok(tries.includes(thrown.length), `${thrown.length} tries`);
          assert.equal(error, thrown.at(-1));
          assert.doesNotMatch(error.message, /executed/);
          return;
        }
        assert.equal(thrown.length, 1);
        assert.equal(error.cause, thrown[0]);
        const start = `Connection lost: POST ${origin}/path may have been executed (`;
        const end = "). Look before you send it again";
        assert.ok(error.message.startsWith(start) && error.message.endsWith(end), error.message);
        const reason = error.message.slice(start.length, -end.length);
        assert.match(reason, /closed/);
        assert.doesNotMatch(reason, /http:|\n/);
      });
    }

    for (const method of ["GET", "POST"]) {
      test(`createAtlasFetch() says of a ${method} that no token could be had, by ${name}`, patient, async () => {
        const { fetch, thrown } = observeFetch();
        const atlasFetch = createAtlasFetch({ credentials: serviceAccount, baseUrl: origin, retry, fetch });
        const error = await reasonOf(atlasFetch("/groups", { method }));
        assert.ok(error instanceof TypeError);
        assert.ok(tries.includes(thrown.length), `${thrown.length} tries`);
        const isRefused = thrown.length === 1;
        if (!isRefused) {
          assert.equal(error.message, `Cannot get an access token: ${new URL(origin).host} did not answer`);
        }
        assert.equal(isRefused ? error : error.cause, thrown.at(-1));
        assert.doesNotMatch(inspect(error, { showHidden: true, depth: 9 }), /executed|mdb_sa_sk_/);
      });
    }
  }

  test("createRetryFetch() rejects with what npm's is-network-error knows, however a connection fails", async (t) => {
    if ("Bun" in globalThis) return t.skip("is-network-error knows none of Bun's errors");
    for (const { name, origin } of failures) {
      const error = await reasonOf(createRetryFetch(retry)(origin));
      assert.ok(isNetworkError(error), `${name}: ${inspect(error)}`);
    }
  });
});

/** Apache and lighttpd without keep-alive: each answer says `Connection: close`, and ends its connection. */

import test, { after } from "node:test";
import assert from "node:assert/strict";
import { createDigestFetch } from "../../lib/digest/mod.ts";
import { all, readOk, summarize, withFront } from "./digest_suite.ts";
import { run, whereInstalled } from "./programs.ts";
import { ann, type Server, startApache, startLighttpd } from "./servers.ts";

interface Target {
  program: string;
  path: string;
  algorithm: string;
  start: () => Promise<Server>;
}

const targets: Target[] = [
  {
    program: "apache2",
    path: "/protected/echo",
    algorithm: "MD5",
    start: () => startApache("closing_apache.conf"),
  },
  {
    program: "lighttpd",
    path: "/sha-256/echo",
    algorithm: "SHA-256",
    start: () => startLighttpd("closing_lighttpd.conf"),
  },
];

for (const { program, path, algorithm, start } of targets) {
  await whereInstalled(`createDigestFetch() works with ${program} without keep-alive`, [program, "curl"], async () => {
    const { port, stop } = await start();
    after(stop);

    test(`${program} ends a connection behind each answer to curl`, () =>
      withFront({ port, algorithm }, async (front) => {
        const { username, password } = ann;
        const args = ["--digest", "-sS", "-u", `${username}:${password}`, "-d", "once"];
        assert.equal(await run("curl", [...args, front.url + path]), "once");
        assert.equal(front.connections, 2);
      }));

    for (const init of [{ method: "GET" }, { method: "POST", body: "once" }]) {
      const { method, body = "" } = init;
      test(`createDigestFetch() needs 5 requests and connections for 4 ${method}s to ${program} without keep-alive`, () =>
        withFront({ port, algorithm }, async (front) => {
          const fetch = createDigestFetch(ann);
          for (let call = 0; call < 4; call++) assert.equal(await readOk(fetch(front.url + path, init)), body);
          assert.equal(summarize(front.exchanges), "plain:401" + " signed:200".repeat(4));
          assert.equal(front.connections, 5);
        }));
    }

    test(`createDigestFetch() posts 16 times at once to ${program} without keep-alive`, () =>
      withFront({ port, algorithm }, async (front) => {
        const fetch = createDigestFetch(ann);
        await readOk(fetch(front.url + path));
        const texts = await all(16, (call) => readOk(fetch(front.url + path, { method: "POST", body: `${call}` })));
        assert.deepEqual(texts, texts.map((_, call) => `${call}`));
        assert.equal(summarize(front.exchanges), "plain:401" + " signed:200".repeat(17));
      }));
  });
}

import test, { after } from "node:test";
import assert from "node:assert/strict";
import { createDigestFetch } from "../../lib/digest/mod.ts";
import { readOk, summarize, testDigest, withFront } from "./digest_suite.ts";
import { readParams } from "./front.ts";
import { whereInstalled } from "./programs.ts";
import { ann, startLighttpd } from "./servers.ts";

await whereInstalled("createDigestFetch() works with lighttpd", ["lighttpd", "curl"], async () => {
  const { port, stop } = await startLighttpd();
  after(stop);

  const locations: [name: string, path: string, algorithm: string][] = [
    ["lighttpd with MD5", "/md5/echo", "MD5"],
    ["lighttpd with SHA-256", "/sha-256/echo", "SHA-256"],
    ["lighttpd with both", "/both/echo", "SHA-256"],
    ["lighttpd with userhash", "/userhash/echo", "SHA-256"],
  ];
  for (const [name, path, algorithm] of locations) {
    testDigest({ name, port, path, algorithm });

    test(`createDigestFetch() takes a fresh nonce when the kept one has expired on ${name}`, () =>
      withFront({ port, algorithm }, async (front) => {
        const fetch = createDigestFetch(ann);
        await readOk(fetch(front.url + path));
        await readOk(fetch(front.url + path));
        front.ageNonces("past");
        await readOk(fetch(front.url + path));
        await readOk(fetch(front.url + path));
        assert.equal(
          summarize(front.exchanges),
          "plain:401 signed:200 signed:200 signed:401 signed:200 signed:200",
        );
        for (const challenge of front.exchanges[3]?.challenges ?? []) {
          assert.equal(readParams(challenge).stale, "true");
        }
      }));
  }

  test("createDigestFetch() gives up after six requests if lighttpd says stale=true for ever", () =>
    withFront({ port, algorithm: "MD5" }, async (front) => {
      front.ageNonces("all");
      const fetch = createDigestFetch(ann);
      for (const requests of [6, 12]) {
        const response = await fetch(`${front.url}/md5/echo`);
        assert.equal(response.status, 401);
        await response.text();
        assert.ok(front.exchanges.length <= requests, summarize(front.exchanges));
      }
      const [challenge = ""] = front.exchanges.at(-1)?.challenges ?? [];
      assert.equal(readParams(challenge).stale, "true");
    }));

  test("createDigestFetch() hides the user name from the wire where lighttpd wants userhash", () =>
    withFront({ port, algorithm: "SHA-256" }, async (front) => {
      await readOk(createDigestFetch(ann)(`${front.url}/userhash/echo`));
      const params = readParams(front.exchanges[1]?.authorization ?? "");
      assert.equal(params.userhash, "true");
      assert.match(params.username ?? "", /^[0-9a-f]{64}$/);
    }));
});

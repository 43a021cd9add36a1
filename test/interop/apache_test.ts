import test, { after } from "node:test";
import assert from "node:assert/strict";
import { setTimeout as sleep } from "node:timers/promises";
import { createDigestFetch } from "../../lib/digest/mod.ts";
import { all, readOk, summarize, testDigest, withFront } from "./digest_suite.ts";
import { readParams } from "./front.ts";
import { whereInstalled } from "./programs.ts";
import { ann, startApache } from "./servers.ts";

const algorithm = "MD5";

await whereInstalled("createDigestFetch() works with Apache", ["apache2", "curl"], async () => {
  const { port, stop } = await startApache();
  after(stop);
  const apache = { port, algorithm };

  testDigest({ ...apache, name: "Apache", path: "/protected/echo" });
  testDigest({ ...apache, name: "Apache beside Basic", path: "/beside-basic/echo" });

  test("createDigestFetch() passes over the Basic that Apache offers on the same URL", () =>
    withFront(apache, async (front) => {
      await readOk(createDigestFetch(ann)(`${front.url}/beside-basic/echo`));
      const schemes = front.exchanges[0]?.challenges.map((challenge) => challenge.split(" ")[0]);
      assert.deepEqual(schemes?.sort(), ["Basic", "Digest"]);
    }));

  test("createDigestFetch() signs a query with a backslash as Apache reads it", () =>
    withFront(apache, async (front) => {
      const response = await createDigestFetch(ann)(`${front.url}/protected/echo?a=\\b`);
      assert.equal(decodeURIComponent(response.headers.get("echo-query") ?? ""), "a=\\b");
      await readOk(Promise.resolve(response));
    }));

  test("createDigestFetch() takes a fresh nonce when Apache's has expired", () =>
    withFront(apache, async (front) => {
      const fetch = createDigestFetch(ann);
      const url = `${front.url}/brief/echo`;
      await readOk(fetch(url));
      await readOk(fetch(url));
      await sleep(3100);
      await readOk(fetch(url));
      await readOk(fetch(url));
      assert.equal(
        summarize(front.exchanges),
        "plain:401 signed:200 signed:200 signed:401 signed:200 signed:200",
      );
      const [challenge = ""] = front.exchanges[3]?.challenges ?? [];
      assert.equal(readParams(challenge).stale, "true");
    }));

  test("createDigestFetch() needs one request a call with Apache's one-time nonces", () =>
    withFront(apache, async (front) => {
      const fetch = createDigestFetch(ann);
      for (let call = 0; call < 11; call++) {
        const response = fetch(`${front.url}/once/echo`, { method: "POST", body: `call ${call}` });
        assert.equal(await readOk(response), `call ${call}`);
      }
      assert.equal(summarize(front.exchanges), "plain:401" + " signed:200".repeat(11));
      const nonces = front.exchanges.map(({ authorization }) => readParams(authorization ?? "").nonce);
      assert.equal(new Set(nonces).size, 12);
    }));

  test("createDigestFetch() answers each of 16 cold calls at once with Apache's one-time nonces", () =>
    withFront(apache, async (front) => {
      const fetch = createDigestFetch(ann);
      await all(16, () => readOk(fetch(`${front.url}/once/echo`)));
      assert.ok(front.exchanges.length <= 32, `${front.exchanges.length} requests`);
    }));

  // They share one opaque, and Apache knows one nonce for it: the last one that it handed out.
  test("createDigestFetch() ends when warm calls at once take each other's one-time nonces on Apache", () =>
    withFront(apache, async (front) => {
      const fetch = createDigestFetch(ann);
      await readOk(fetch(`${front.url}/once/echo`));
      const before = front.exchanges.length;
      await all(8, async () => {
        const response = await fetch(`${front.url}/once/echo`);
        assert.ok(response.status === 200 || response.status === 401, `${response.status}`);
        await response.text();
      });
      const requests = front.exchanges.length - before;
      assert.ok(requests <= 8 * 6, `${requests} requests for 8 calls`);
    }));
});

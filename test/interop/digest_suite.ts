/** What holds on every Digest server: called once for each server and location. */

import test from "node:test";
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { createDigestFetch } from "../../lib/digest/mod.ts";
import { type Exchange, type Front, readParams, startFront } from "./front.ts";
import { run } from "./programs.ts";
import { ann, foreign, type Person, quoted } from "./servers.ts";

export interface Target {
  /** Ends the names of the tests. */
  readonly name: string;
  readonly port: number;
  /** The protected echo. */
  readonly path: string;
  /** What the server must be answered with. */
  readonly algorithm: string;
}

const mebibyte = 1024 * 1024;
/** What the heads of two or three requests, or the chunking of a stream, may add. */
const overhead = 8 * 1024;

/**
 * Runs `use` with a front before the server at `port`, then judges all that went over the wire:
 * Digest only, `uri` equal to the target, no count used twice.
 */
export async function withFront(
  { port, algorithm }: Pick<Target, "port" | "algorithm">,
  use: (front: Front) => Promise<void>,
): Promise<void> {
  const front = await startFront(port);
  try {
    await use(front);
  } finally {
    await front.close();
  }
  const counts = new Set<string>();
  for (const { authorization, target } of front.exchanges) {
    if (authorization === undefined) continue;
    assert.match(authorization, /^Digest /);
    const params = readParams(authorization);
    assert.equal(params.uri, target);
    assert.equal(params.algorithm, algorithm);
    assert.equal(params.qop, "auth");
    assert.match(params.nc ?? "", /^[0-9a-f]{8}$/);
    const count = `${params.nonce} ${params.opaque} ${params.nc}`;
    assert.ok(!counts.has(count), `used twice: ${count}`);
    counts.add(count);
  }
}

/** What was signed and what came of it, a word a request. */
export function summarize(exchanges: readonly Exchange[]): string {
  return exchanges.map(({ authorization, status }) => `${authorization === undefined ? "plain" : "signed"}:${status}`)
    .join(" ");
}

/** Waits for a 200 and gives its text. */
export async function readOk(response: Promise<Response>): Promise<string> {
  const { status } = await response;
  const text = await (await response).text();
  assert.equal(status, 200, text);
  return text;
}

export function testDigest({ name, port, path, algorithm }: Target): void {
  const target = { port, algorithm };

  test(`createDigestFetch() gets a first answer with two requests on one connection on ${name}`, () =>
    withFront(target, async (front) => {
      await readOk(createDigestFetch(ann)(front.url + path));
      assert.equal(summarize(front.exchanges), "plain:401 signed:200");
      assert.equal(front.connections, 1);
    }));

  test(`createDigestFetch() needs 12 requests for 11 calls in sequence on ${name}`, () =>
    withFront(target, async (front) => {
      const fetch = createDigestFetch(ann);
      for (let call = 0; call < 11; call++) {
        await readOk(fetch(`${front.url}${path}?call=${call}`));
      }
      assert.equal(summarize(front.exchanges), "plain:401" + " signed:200".repeat(11));
    }));

  test(`createDigestFetch() answers each of 16 cold calls at once on ${name}`, () =>
    withFront(target, async (front) => {
      const fetch = createDigestFetch(ann);
      await all(16, (call) => readOk(fetch(`${front.url}${path}?call=${call}`)));
      const signed = front.exchanges.filter(({ authorization }) => authorization !== undefined);
      assert.equal(summarize(signed), "signed:200 ".repeat(16).trim());
      assert.ok(front.exchanges.length <= 32, `${front.exchanges.length} requests`);
    }));

  test(`createDigestFetch() needs 64 requests for 64 warm calls at once on ${name}`, () =>
    withFront(target, async (front) => {
      const fetch = createDigestFetch(ann);
      await readOk(fetch(front.url + path));
      await all(64, (call) => readOk(fetch(`${front.url}${path}?call=${call}`)));
      assert.equal(summarize(front.exchanges), "plain:401" + " signed:200".repeat(65));
    }));

  const queries: [written: string, sent: string][] = [
    ["?name=a%20b%2Fc%22d%5C&half=100%", "?name=a%20b%2Fc%22d%5C&half=100%"],
    ["?list=1,2,,3&also=a=b, c", "?list=1,2,,3&also=a=b,%20c"],
    [`?said="quo"ted'&like=<this>`, "?said=%22quo%22ted%27&like=%3Cthis%3E"],
    ["?city=Zürich&snow=☃&plus=a+b", "?city=Z%C3%BCrich&snow=%E2%98%83&plus=a+b"],
    ["?again=?&&=/../:@!$*;|^`{}[]~", "?again=?&&=/../:@!$*;|^`{}[]~"],
    ["?kept=1#dropped", "?kept=1"],
    ["?", ""],
    ["?#dropped", ""],
  ];
  test(`createDigestFetch() signs the query as it is sent on ${name}`, () =>
    withFront(target, async (front) => {
      const fetch = createDigestFetch(ann);
      for (const [written, sent] of queries) {
        const response = await fetch(front.url + path + written);
        assert.equal(response.status, 200, written);
        assert.equal(response.headers.get("echo-query") ?? "", sent.slice(1)); // lighttpd drops empty fields
        assert.equal(front.exchanges.at(-1)?.target, path + sent);
        await response.text();
      }
      assert.equal(front.exchanges.length, queries.length + 1);
    }));

  test(`createDigestFetch() posts JSON on ${name}`, () =>
    withFront(target, async (front) => {
      const body = JSON.stringify({ name: "Zoë", list: [1, 2, 3], said: `"\\` });
      const response = await createDigestFetch(ann)(front.url + path, {
        method: "POST",
        body,
        headers: { "Content-Type": "application/json" },
      });
      assert.equal(response.headers.get("echo-method"), "POST");
      assert.equal(response.headers.get("echo-type"), "application/json");
      assert.equal(await response.text(), body);
      assert.equal(summarize(front.exchanges), "plain:401 signed:200");
    }));

  const binary = randomBytes(mebibyte);
  const text = randomBytes(mebibyte / 2).toString("hex");
  const large: [form: string, body: NonNullable<RequestInit["body"]>, sent: Uint8Array][] = [
    ["a string", text, Buffer.from(text)],
    ["bytes", binary, binary],
    ["a Blob", new Blob([binary]), binary],
  ];
  for (const [form, body, sent] of large) {
    test(`createDigestFetch() uploads 1 MiB of ${form} once, cold and warm, on ${name}`, () =>
      withFront(target, async (front) => {
        const fetch = createDigestFetch(ann);
        for (const expected of ["plain:401 signed:200", "plain:401 signed:200 signed:200"]) {
          const before = front.bytesUp;
          const response = await fetch(front.url + path, { method: "POST", body });
          await assertEcho(response, "POST", sent);
          assert.equal(summarize(front.exchanges), expected);
          assertUploadedOnce(front.bytesUp - before, mebibyte);
        }
      }));
  }

  test(`createDigestFetch() uploads a stream once, cold and warm, on ${name}`, () =>
    withFront(target, async (front) => {
      const fetch = createDigestFetch(ann);
      for (let call = 0; call < 2; call++) {
        const before = front.bytesUp;
        const init: RequestInit & { duplex: "half" } = { // Deno's RequestInit has none
          method: "POST",
          body: streamOf(binary),
          duplex: "half",
          headers: { "Content-Type": "application/x-stream" },
        };
        const response = await fetch(front.url + path, init);
        assert.equal(response.headers.get("echo-type"), "application/x-stream");
        await assertEcho(response, "POST", binary);
        assertUploadedOnce(front.bytesUp - before, mebibyte);
      }
      const requests = front.exchanges.map(({ method, status }) => `${method}:${status}`);
      assert.ok(requests.length <= 4, requests.join(" "));
      assert.deepEqual(requests.filter((request) => request.startsWith("POST")), ["POST:200", "POST:200"]);
    }));

  test(`createDigestFetch() sends HEAD, PUT, PATCH and DELETE on ${name}`, () =>
    withFront(target, async (front) => {
      const fetch = createDigestFetch(ann);
      for (const method of ["HEAD", "PUT", "PATCH", "DELETE"]) {
        const sent = Buffer.from(method === "PUT" || method === "PATCH" ? `${method} \r\n\0` : "");
        const body = sent.length > 0 ? { body: sent } : {};
        await assertEcho(await fetch(front.url + path, { method, ...body }), method, sent);
        assert.equal(front.exchanges.at(-1)?.method, method);
      }
      assert.equal(summarize(front.exchanges), "plain:401" + " signed:200".repeat(4));
    }));

  const names: [kind: string, person: Person][] = [
    ["with quotes and a backslash", quoted],
    ["beyond Latin-1", foreign],
  ];
  for (const [kind, person] of names) {
    test(`createDigestFetch() signs in a user name ${kind} on ${name}`, () =>
      withFront(target, async (front) => {
        await readOk(createDigestFetch(person)(front.url + path));
        assert.equal(summarize(front.exchanges), "plain:401 signed:200");
      }));
  }

  test(`createDigestFetch() returns the 401 to a wrong password after one try on ${name}`, () =>
    withFront(target, async (front) => {
      const fetch = createDigestFetch({ ...ann, password: "close sesame" });
      for (let call = 1; call <= 2; call++) {
        const response = await fetch(front.url + path);
        assert.equal(response.status, 401);
        assert.match(await response.text(), /401 Unauthorized/);
        assert.equal(summarize(front.exchanges), "plain:401 signed:401 ".repeat(call).trim());
      }
    }));

  test(`createDigestFetch() gets 401 for a user it does not know on ${name}`, () =>
    withFront(target, async (front) => {
      const response = await createDigestFetch({ ...ann, username: "bob" })(front.url + path);
      assert.equal(response.status, 401);
      await response.text();
      assert.equal(summarize(front.exchanges), "plain:401 signed:401");
    }));

  test(`curl --digest agrees about ${name}`, () =>
    withFront({ port, algorithm }, async (front) => {
      const { username, password } = ann;
      const args = ["--digest", "-sS", "-u", `${username}:${password}`, "-d", "a body"];
      assert.equal(await run("curl", [...args, `${front.url}${path}?a=b`]), "a body");
      assert.equal(summarize(front.exchanges), "plain:401 signed:200");
    }));
}

/** The results of `count` calls begun at once. */
export async function all<T>(count: number, call: (index: number) => Promise<T>): Promise<T[]> {
  return await Promise.all(Array.from({ length: count }, (_, index) => call(index)));
}

async function assertEcho(response: Response, method: string, sent: Uint8Array): Promise<void> {
  assert.equal(response.status, 200);
  assert.equal(response.headers.get("echo-method"), method);
  const echoed = Buffer.from(await response.arrayBuffer());
  assert.ok(echoed.equals(sent), `sent ${sent.length} bytes, ${echoed.length} came back`);
}

function assertUploadedOnce(bytesUp: number, size: number): void {
  assert.ok(bytesUp > size && bytesUp < size + overhead, `${bytesUp} bytes for ${size}`);
}

function streamOf(bytes: Uint8Array, piece = 64 * 1024): ReadableStream<Uint8Array> {
  let start = 0;
  return new ReadableStream({
    pull(controller) {
      if (start >= bytes.length) return controller.close();
      controller.enqueue(bytes.subarray(start, start += piece));
    },
  });
}

import assert from "node:assert/strict";
import { test } from "node:test";
import { BASE, client, countsOf } from "./digest_client.ts";
import { createDigestServer, parseAuthorization } from "./digest_server.ts";
import { challenged, createRecorder } from "./recorder.ts";

test("createDigestFetch() counts on when the same nonce and opaque are handed out again", async () => {
  const server = createDigestServer({
    refuses: ({ uses }, count) => uses + 1 === count ? uses % 3 === 2 ? "bare" : undefined : "bare",
  });
  const nonce = server.newNonce();
  const fetch = client({
    fetch: async (input, init) => {
      const response = await server.fetch(input, init);
      return response.status === 401 ? challenged(`Digest realm="engine", nonce="${nonce}", qop="auth"`) : response;
    },
  });
  for (let call = 0; call < 8; call++) assert.equal((await fetch(BASE)).status, 200);
  const used = countsOf(server).filter((nc) => nc !== undefined);
  assert.deepEqual(used, used.map((_nc, index) => (index + 1).toString(16).padStart(8, "0")));
});

test("createDigestFetch() counts each opaque of one nonce by itself, as WEBrick does", async () => {
  const seen: string[] = [];
  let asked = 0;
  const { fetch } = createRecorder(({ headers }) => {
    const { opaque, nc } = parseAuthorization(headers.get("authorization") ?? "");
    if (nc !== undefined) seen.push(`${opaque}${Number(nc)}`);
    if (nc !== undefined && seen.length % 2 === 1) return new Response("ok");
    return challenged(`Digest realm="r", nonce="n", opaque="${asked++ % 2 === 0 ? "a" : "b"}", qop="auth"`);
  });
  const digestFetch = client({ fetch });
  for (let call = 0; call < 4; call++) assert.equal((await digestFetch(BASE)).status, 200);
  assert.deepEqual(seen, ["a1", "a2", "b1", "b2", "a3", "a4", "b3"]);
});

test("createDigestFetch() remembers the last 64 pairs of nonce and opaque, and no more", async () => {
  const plan = ["first", ...Array.from({ length: 63 }, (_, index) => `n${index}`), "first", "late", "n0"];
  let accepted: string | undefined; // the nonce handed out last
  const seen = new Map<string, string | undefined>();
  const { fetch } = createRecorder(({ headers }) => {
    const { nonce, nc } = parseAuthorization(headers.get("authorization") ?? "");
    if (nonce !== undefined) seen.set(nonce, nc);
    if (nonce !== undefined && nonce === accepted) return new Response("ok");
    accepted = plan.shift();
    return challenged(`Digest nonce="${accepted}", qop="auth"`);
  });
  const digestFetch = client({ fetch });
  while (plan.length > 0) {
    accepted = undefined; // refuses the kept one
    assert.equal((await digestFetch(BASE)).status, 200);
  }
  assert.equal(seen.get("first"), "00000004"); // signed, refused, handed out again, refused: one series
  assert.equal(seen.get("n0"), "00000001"); // the 65th back: forgotten
});

test("createDigestFetch() takes another cnonce of 16 hexadecimal digits for each challenge", async () => {
  const server = createDigestServer({ refuses: ({ uses }) => uses > 0 ? "stale" : undefined });
  const fetch = client(server);
  for (let call = 0; call < 3; call++) assert.equal((await fetch(BASE)).status, 200);
  const cnonces = server.seen.flatMap(({ credentials }) => credentials?.cnonce ?? []);
  for (const cnonce of cnonces) assert.match(cnonce, /^[\da-f]{16}$/);
  assert.equal(new Set(cnonces).size, 3);
});

test("createDigestFetch() forgets an origin when 1,000 others have been asked since, and no sooner", async () => {
  const server = createDigestServer();
  const fetch = client(server);
  const ask = async (number: number) => {
    const before = server.seen.length;
    assert.equal((await fetch(`http://host${number}.example/`)).status, 200);
    return server.seen.length - before;
  };
  for (let number = 0; number <= 999; number++) assert.equal(await ask(number), 2);
  assert.equal(await ask(0), 1); // asked again, so that 1 is the oldest now
  assert.equal(await ask(1000), 2);
  assert.equal(await ask(0), 1);
  assert.equal(await ask(2), 1);
  assert.equal(await ask(1), 2); // forgotten
});

// Servers that never stop asking, lead in circles or elsewhere, or ask in monstrous ways: what Digest sends them.
import assert from "node:assert/strict";
import { test } from "node:test";
import { createDigestFetch, type Fetch } from "../../lib/digest/mod.ts";
import { readAuthorization } from "./strict_authorization.ts";
import { assertHarmless, challenge, createHostileServer, endlessBody, redirect, type Sent } from "./hostile_server.ts";

const PASSWORD = "S3CRET-password";
const ORIGIN = "http://camera.example";
const TARGET = `${ORIGIN}/status?a=b`;

type Answer = (sent: Sent, number: number) => Response;

interface Row {
  name: string;
  answer: Answer;
  /** Of the first call, then of a second one; and the status or the error of the first. */
  requests: [number, number];
  end: number | RegExp;
}

const huge = "x".repeat(50_000);
const others = (count: number) =>
  Array.from({ length: count }, (_, index) => `Other realm="${index}", nonce="${index}"`);

/** Asks until it is signed with this nonce, then answers. */
function once(header: string): Answer {
  return ({ authorization }) =>
    authorization
      ? new Response("welcome")
      : new Response(null, { status: 401, headers: { "www-authenticate": header } });
}

const ROWS: Row[] = [
  {
    name: "401 for ever with one nonce",
    answer: () => challenge({}),
    requests: [2, 2],
    end: 401,
  },
  {
    name: "401 for ever with a new nonce each time",
    answer: (_, number) => challenge({ nonce: `n${number}` }),
    requests: [2, 2],
    end: 401,
  },
  {
    name: "stale=true for ever",
    answer: (_, number) => challenge({ nonce: `n${number}`, stale: "true" }),
    requests: [6, 6],
    end: 401,
  },
  {
    name: "stale=true for ever, with one nonce",
    answer: () => challenge({ stale: "true" }),
    requests: [6, 6],
    end: 401,
  },
  {
    name: "a new realm each time",
    answer: (_, number) => challenge({ realm: `r${number}`, nonce: `n${number}` }),
    requests: [2, 2],
    end: 401,
  },
  {
    name: "a new realm each time, as stale",
    answer: (_, number) => challenge({ realm: `r${number}`, nonce: `n${number}`, stale: "true" }),
    requests: [6, 6],
    end: 401,
  },
  {
    name: "welcome, then stale=true for ever",
    answer: (_, number) => number === 2 ? new Response("welcome") : challenge({ nonce: `n${number}`, stale: "true" }),
    requests: [2, 6],
    end: 200,
  },
  {
    name: "a next nonce with each welcome, which it then refuses",
    answer: (_, number) =>
      number === 2
        ? new Response(null, { headers: { "authentication-info": 'nextnonce="refused"' } })
        : challenge({ nonce: `n${number}` }),
    requests: [2, 2],
    end: 200,
  },
  {
    name: "Basic only",
    answer: once('Basic realm="Hostile"'),
    requests: [1, 1],
    end: 401,
  },
  {
    name: "an algorithm and a qop that there are not, and Basic",
    answer: once(
      'Digest realm="a", nonce="b", algorithm=CRC32, Digest realm="a", nonce="b", qop="none", Basic realm="a"',
    ),
    requests: [1, 1],
    end: 401,
  },
  {
    name: "a redirect to itself",
    answer: (sent) => sent.authorization ? redirect(TARGET) : challenge({}),
    requests: [22, 21],
    end: /20 redirects/,
  },
  {
    name: "a redirect in a circle of two, 307",
    answer: ({ url, authorization }) =>
      authorization ? redirect(url === TARGET ? "/other" : TARGET, 307) : challenge({}),
    requests: [22, 21],
    end: /20 redirects/,
  },
  {
    name: "a redirect to ever new paths, each of them stale three times",
    answer: (_, number) => number % 4 ? challenge({ nonce: `n${number}`, stale: "true" }) : redirect(`/${number}`),
    requests: [84, 84],
    end: /20 redirects/,
  },
  {
    name: "500 challenges before the one that can be answered",
    answer: once([...others(500), 'Digest realm="a", nonce="b"'].join(", ")),
    requests: [2, 1],
    end: 200,
  },
  {
    name: "60 kB of one challenge",
    answer: once(`Digest realm="a", nonce="b", domain="${"x".repeat(60_000)}"`),
    requests: [2, 1],
    end: 200,
  },
  {
    name: "a nonce of 50 kB",
    answer: once(`Digest realm="a", nonce="${huge}", qop="auth"`),
    requests: [2, 1],
    end: 200,
  },
  {
    name: "50 kB of backslashes, commas, quotes, equals signs and blanks",
    answer: once(["\\", ",", '"', "=", " ", "a ", "a=", '"\\'].map((text) => text.repeat(6000)).join("")),
    requests: [1, 1],
    end: 401,
  },
  {
    name: "no name, no value, no comma where there must be one",
    answer: once('Digest =, ="", realm, nonce, qop==, Digest, Digest "", Digest realm=a nonce'),
    requests: [1, 1],
    end: 401,
  },
];

async function endOf(call: Promise<Response>): Promise<number | string> {
  return await call.then(({ status }) => status, (error: Error) => {
    assert.ok(error instanceof TypeError, String(error));
    return error.message;
  });
}

for (const { name, answer, requests, end } of ROWS) {
  test(`createDigestFetch() sends ${requests[0]} and then ${requests[1]} requests to a server that answers: ${name}`, async () => {
    const { fetch, sent } = createHostileServer(answer);
    const calls = createDigestFetch({ username: "ada", password: PASSWORD, fetch });
    const first = await endOf(calls(TARGET));
    if (typeof end === "number") assert.equal(first, end);
    else assert.match(String(first), end);
    const sentFirst = sent.length;
    await endOf(calls(TARGET));
    assertHarmless(sent.slice(0, sentFirst), ORIGIN, [PASSWORD]);
    assertHarmless(sent.slice(sentFirst), ORIGIN, [PASSWORD]);
    assert.deepEqual([sentFirst, sent.length - sentFirst], requests);
    // What is not asked for is not repeated: of 60 kB only the nonce goes back.
    const longest = Math.max(...sent.map(({ authorization }) => authorization?.length ?? 0));
    assert.ok(longest < (name.includes("a nonce of 50 kB") ? 51_000 : 1000), `${longest} characters`);
    assert.ok(!sent.some(({ authorization }) => authorization?.startsWith("Basic")));
  });
}

test("createDigestFetch() sends at most six requests for a POST, a large one and a stream too", async () => {
  const bodies: Record<string, () => NonNullable<RequestInit["body"]>> = {
    small: () => "x",
    large: () => "x".repeat(20_000),
    stream: () => new Blob(["x".repeat(20_000)]).stream(),
  };
  for (const [name, body] of Object.entries(bodies)) {
    const { fetch, sent } = createHostileServer((_, number) => challenge({ nonce: `n${number}`, stale: "true" }));
    const calls = createDigestFetch({ username: "ada", password: PASSWORD, fetch });
    for (let call = 0; call < 3; call++) {
      const before = sent.length;
      const init: RequestInit = { method: "POST", body: body(), duplex: "half" };
      assert.equal(await endOf(calls(TARGET, init)), 401, name);
      assertHarmless(sent.slice(before), ORIGIN, [PASSWORD]);
      const uploads = sent.slice(before).filter((one) => one.body !== "");
      // A large one is first sent when its challenge is there.
      assert.equal(uploads.length, { small: 6, large: 5, stream: 1 }[name]);
      assert.ok(uploads.every((one) => one.body.length === (name === "small" ? 1 : 20_000)), "Half a body was sent");
    }
  }
});

test("createDigestFetch() signs nothing for where a redirect leads, nor after that", async () => {
  const places = [
    "http://evil.example/",
    "//evil.example/",
    "http://camera.example:8080/",
    "https://camera.example/",
    "http://camera.example.evil.example/",
    "http://www.camera.example/",
    "http://127.0.0.1/",
  ];
  for (const place of places) {
    for (const status of [301, 302, 303, 307, 308]) {
      // It wants to be signed there too.
      const { fetch, sent } = createHostileServer(({ url, authorization }, number) => {
        if (new URL(url).origin !== ORIGIN) return challenge({ nonce: "theirs" });
        return authorization ? redirect(place, status) : challenge({ nonce: `n${number}` });
      });
      const calls = createDigestFetch({ username: "ada", password: PASSWORD, fetch });
      const headers = { cookie: "session=S3CRET-cookie" };
      const response = await calls(TARGET, { method: "POST", body: "b", headers });
      assert.equal(response.status, 401);
      assertHarmless(sent, ORIGIN, [PASSWORD]);
      assert.equal(sent.length, 3, place);
      assert.equal(sent[2]?.headers.get("cookie"), null, `The cookie went to ${place}`);
    }
  }
});

test("createDigestFetch() follows no redirect to what is no HTTP or names a user", async () => {
  for (
    const place of ["javascript:alert(1)", "data:,x", "file:///etc/passwd", "http://a:b@camera.example/", "http://"]
  ) {
    const { fetch, sent } = createHostileServer(({ authorization }) => authorization ? redirect(place) : challenge({}));
    const end = await endOf(createDigestFetch({ username: "ada", password: PASSWORD, fetch })(TARGET));
    assert.equal(typeof end, "string", place);
    assert.equal(sent.length, 2, place);
  }
});

test("createDigestFetch() answers what is strongest of a list, in any order, and never Basic", async () => {
  const [md5, sha256, sha512] = ["MD5", "SHA-256", "SHA-512-256"].map((algorithm) =>
    `Digest realm="a", nonce="${algorithm}", algorithm=${algorithm}, qop="auth"`
  );
  for (
    const list of [[md5, sha256, sha512], [sha512, md5], [md5, sha512, 'Basic realm="a"'], ['Basic realm="a"', sha512]]
  ) {
    const { fetch, sent } = createHostileServer(once(list.join(", ")));
    await createDigestFetch({ username: "ada", password: PASSWORD, fetch })(TARGET);
    assert.match(sent[1]?.authorization ?? "", /^Digest .*algorithm=SHA-512-256/);
  }
});

test("createDigestFetch() takes at most 64 KiB of a 401's endless body, before the question and after it", async () => {
  for (const length of [0, 20_000]) {
    for (const chunk of [100, 65_536, 300_000]) {
      const { body, taken, isCancelled } = endlessBody(chunk);
      const { fetch, sent } = createHostileServer((_, number) =>
        number === 1 ? challenge({}, body) : new Response("welcome")
      );
      const calls = createDigestFetch({ username: "ada", password: PASSWORD, fetch });
      const init: RequestInit = length ? { method: "POST", body: "x".repeat(length) } : {};
      assert.equal((await calls(TARGET, init)).status, 200);
      assert.equal(sent.length, 2);
      assert.ok(taken() <= 65_536 + 2 * chunk, `${taken()} bytes in chunks of ${chunk}`);
      assert.ok(isCancelled());
    }
  }
});

test("createDigestFetch() returns the last 401 with its body unread, endless as it is", async () => {
  const bodies = [endlessBody(), endlessBody()];
  const { fetch } = createHostileServer((_, number) => challenge({}, bodies[number - 1]?.body ?? null));
  const response = await createDigestFetch({ username: "ada", password: PASSWORD, fetch })(TARGET);
  assert.equal(response.status, 401);
  assert.equal(bodies[1]?.taken(), 0);
  await response.body?.cancel();
});

test("createDigestFetch() keeps nothing that grows with what a server invents", async () => {
  // Each call but the first is refused once as stale, with a nonce and an opaque of 1 kB that never come again.
  const { fetch, sent } = createHostileServer((_, number) =>
    number % 2
      ? challenge({ nonce: `${number}`.padEnd(1000, "."), opaque: `${number}`.padEnd(1000, "."), stale: "true" })
      : new Response("welcome")
  );
  const calls: Fetch = createDigestFetch({ username: "ada", password: PASSWORD, fetch });
  for (let call = 0; call < 200; call++) {
    assert.equal(await endOf(calls(`${ORIGIN}/${call}`)), 200);
    assert.match(sent.at(-1)?.authorization ?? "", /nc=00000001/);
  }
  assert.equal(sent.length, 400);
});

test("createDigestFetch() counts from 1 for each pair of nonce and opaque, and on where it was", async () => {
  const opaques = ["a", "b", "a", "b", "c"];
  const { fetch, sent } = createHostileServer((_, number) => {
    const [asked, opaque = ""] = [number % 2 === 1, opaques[(number - 1) / 2]];
    return asked ? challenge({ opaque }) : new Response("welcome");
  });
  const calls = createDigestFetch({ username: "ada", password: PASSWORD, fetch });
  for (const _ of opaques) await calls(TARGET);
  const counts = sent.flatMap(({ authorization }) => {
    const { opaque, nc = "" } = authorization === null ? {} : readAuthorization(authorization);
    return opaque === undefined ? [] : `${opaque} ${parseInt(nc, 16)}`;
  });
  assert.deepEqual(counts, ["a 1", "a 2", "b 1", "b 2", "a 3", "a 4", "b 3", "b 4", "c 1"]);
});

import assert from "node:assert/strict";
import { test } from "node:test";
import { createFakeAtlas } from "../lib/testing.ts";
import type { Fetch } from "../mod.ts";
import { command, KEY, type Machine, memory, refusal, server, withoutJitter } from "./command.ts";

const state = (stateName: unknown) => JSON.stringify({ stateName, id: 12345678901234567890n.toString() });

/** Runs it with a clock that only counts. */
async function waited(args: readonly string[], fetch: Fetch, machine: object = {}) {
  const pauses: number[] = [];
  const sleep = (ms: number) => Promise.resolve(pauses.push(Math.round(ms / 100) / 10));
  return { ...await command(args, { fetch, sleep, ...machine }), pauses };
}

/** A connection that fails as Node says it. */
function failed(code: string, message = `It is ${code}`): Promise<never> {
  return Promise.reject(new TypeError("fetch failed", { cause: Object.assign(new Error(message), { code }) }));
}

const isLast = (count: number) => count === 8;

test("atlas-fetch --wait asks at once, after 1, 2, 4, 8, then every 10 s, and prints the last body", async () => {
  const fetch = server((_, count) => state(isLast(count) ? "IDLE" : "CREATING"));
  const outcome = await waited(["/x", "--wait", "stateName=IDLE"], fetch);
  assert.deepEqual(outcome, { code: 0, stdout: state("IDLE"), stderr: "", pauses: [1, 2, 4, 8, 10, 10, 10] });
  const once = await waited(["/x", "--wait", "stateName=IDLE", "-q", "stateName"], server(() => state("IDLE")));
  assert.deepEqual(once, { code: 0, stdout: "IDLE\n", stderr: "", pauses: [] });
});

test("atlas-fetch --wait compares with the string, or with the text as it stands", async () => {
  const conditions: [condition: string, json: string][] = [
    ["a=b=c", '{"a":"b=c"}'],
    ["a=", '{"a":""}'],
    ["a=\n", '{"a":"\\n"}'],
    [".a.b[1]=false", '{"a":{"b":[true, false]}}'],
    ["n=12345678901234567891", '{"n":12345678901234567891}'],
    ["n=1.50", '{"n": 1.50}'],
    ["a=[1,2]", '{"a": [1, 2]}'],
    ["a=null", '{"a":null}'],
    ["a", '{"a":0}'],
    ["a", '{"a":""}'],
    [".", "[]"],
  ];
  for (const [condition, json] of conditions) {
    const { pauses, ...outcome } = await waited(["/x", "--wait", condition], server(() => json));
    assert.deepEqual([outcome, pauses], [{ code: 0, stdout: json, stderr: "" }, []], condition);
  }
  const others: [condition: string, json: string][] = [
    ["n=12345678901234567891", '{"n":12345678901234567890}'],
    ["a=IDLE", '{"a":"idle"}'],
    ["a", '{"a":null}'],
    ["a", "{}"],
    ["a.b", '{"a":1}'],
  ];
  for (const [condition, json] of others) {
    const fetch = server((_, count) => count === 1 ? json : refusal(404, "GONE", ""));
    assert.deepEqual((await waited(["/x", "--wait", condition], fetch)).pauses, [1], condition);
  }
});

test("atlas-fetch --wait 404 waits until it is gone, and then prints nothing", async () => {
  for (const args of [[], ["-i"], ["-q", "a"]]) {
    const fetch = server((_, count) => count < 3 ? state("DELETING") : refusal(404, "CLUSTER_NOT_FOUND", "No cluster"));
    const outcome = await waited(["/x", "--wait", "404", ...args], fetch);
    assert.deepEqual(outcome, { code: 0, stdout: "", stderr: "", pauses: [1, 2] });
  }
});

test("atlas-fetch --wait ends at once with a refusal that will stay", async () => {
  const ends: [code: number, args: string[], answer: () => Response][] = [
    [4, ["--wait", "stateName=IDLE"], () => refusal(404, "CLUSTER_NOT_FOUND", "No cluster")],
    [4, ["--wait", "404"], () => refusal(401, "UNEXPECTED_ERROR", "No")],
    [4, ["--wait", "stateName=IDLE"], () => refusal(403, "IP_ADDRESS_NOT_ON_ACCESS_LIST", "No")],
    [1, ["--wait", "a"], () => new Response(null, { status: 304 })],
    [1, ["--wait", "a"], () => new Response("<html>")],
  ];
  for (const [code, args, answer] of ends) {
    const fetch = server((_, count) => count === 1 ? state("CREATING") : answer());
    const outcome = await waited(["/x", ...args], fetch);
    assert.deepEqual([outcome.code, outcome.stdout, outcome.pauses], [code, "", [1]], outcome.stderr);
    assert.doesNotMatch(outcome.stderr, /CREATING/);
  }
});

test("atlas-fetch --wait waits through 429 as Retry-After says, 5xx, and lost connections", async () => {
  const inAMinute = new Date(Date.now() + 60_000).toUTCString();
  const troubles: (() => Response | Promise<Response>)[] = [
    () => refusal(503, "BUSY", ""),
    () => refusal(429, "RATE_LIMITED", "", { "retry-after": "55" }),
    () => refusal(429, "RATE_LIMITED", "", { "retry-after": inAMinute }),
    () => refusal(501, "WHAT", "", { "retry-after": "soon" }),
    () => failed("ECONNRESET"),
    () => new Response(new ReadableStream({ start: (controller) => controller.error(new Error("Broken")) })),
    () => failed("ECONNREFUSED"),
  ];
  const fetch = server((_, count) => troubles[count - 1]?.() ?? state("IDLE"));
  const { pauses, ...outcome } = await waited(["/x", "--wait", "stateName=IDLE"], fetch);
  assert.deepEqual(outcome, { code: 0, stdout: state("IDLE"), stderr: "" });
  assert.deepEqual([...pauses.slice(0, 2), ...pauses.slice(3)], [1, 55, 8, 10, 10, 10]);
  assert.ok(Number(pauses[2]) > 55 && Number(pauses[2]) <= 60, `${pauses[2]}`);
  const endless = server((_, count) =>
    count > 1 ? state("IDLE") : refusal(429, "RATE_LIMITED", "", { "retry-after": "1000000000000" })
  );
  assert.deepEqual(
    (await waited(["/x", "--wait", "stateName=IDLE"], endless)).pauses,
    [(2 ** 31 - 1) / 1000].map((s) => Math.round(s * 10) / 10),
  );
});

test("atlas-fetch --wait gives up a host that it never reached", async () => {
  const fetch = server(() => failed("ENOTFOUND"));
  const { code, stdout, stderr, pauses } = await waited(["/x", "--wait", "a"], fetch);
  assert.deepEqual([code, stdout, pauses], [1, "", [1, 2]]);
  assert.match(stderr, /^Cannot reach cloud\.mongodb\.com: It is ENOTFOUND\n$/);
  const bug = server((_, count) => count === 1 ? state("CREATING") : Promise.reject(new TypeError("A bug")));
  assert.deepEqual((await waited(["/x", "--wait", "a"], bug)).code, 1);
});

test("atlas-fetch --wait waits through a token endpoint that is busy, and not through one that refuses", async () => {
  const env = { MONGODB_ATLAS_CLIENT_ID: "mdb_sa_id_1", MONGODB_ATLAS_CLIENT_SECRET: "s3cr3t" };
  const mints = (status: number) =>
    server(({ url }, count) => {
      if (url.pathname !== "/api/oauth/token") return state("IDLE");
      return count > 1 ? '{"access_token":"t","expires_in":3600}' : refusal(status, "RATE_LIMITED", "Too many");
    });
  const busy = await waited(["/x", "--wait", "stateName=IDLE"], mints(429), { env });
  assert.deepEqual([busy.code, busy.pauses], [0, [1]], busy.stderr);
  const refused = await waited(["/x", "--wait", "stateName=IDLE"], mints(401), { env });
  assert.deepEqual([refused.code, refused.pauses], [4, []]);
  assert.doesNotMatch(refused.stderr, /no answer yet/);
});

// --timeout -----------------------------------------------------------------------------------------------

test("atlas-fetch --timeout gives up with 124, an empty stdout and the last state", async () => {
  const never = { sleep: () => new Promise(() => {}) };
  const states: [answer: () => string | Response | Promise<Response>, args: string[], reached: string][] = [
    [() => state("CREATING"), ["--wait", "stateName=IDLE"], "stateName is CREATING"],
    [() => state("CREATING"), ["--wait", "stateNam=IDLE"], "There is no stateNam"],
    [() => state("CREATING"), ["--wait", "404"], "It is still there"],
    [() => state("CREATING\n\u009b2J"), ["--wait", "stateName=IDLE"], 'stateName is "CREATING\\n\\u009b2J"'],
    [() => refusal(503, "BUSY", ""), ["--wait", "a"], "The last answer was 503"],
    [() => failed("ECONNRESET"), ["--wait", "a"], "It is ECONNRESET"],
    [() => new Promise(() => {}), ["--wait", "a"], "There was no answer yet"],
  ];
  for (const [answer, args, reached] of states) {
    const fetch = server(answer);
    const outcome = await command(["/x", ...args, "--timeout", "0.05s"], { fetch, ...never });
    assert.deepEqual(outcome, { code: 124, stdout: "", stderr: `Gave up after 0.05 s. ${reached}\n` });
  }
});

test("atlas-fetch --timeout bounds whatever the command waits for", async () => {
  const slow = () => new Promise<never>(() => {});
  const stdout = { isTTY: false, columns: 80, write: slow };
  const stdin = new ReadableStream<Uint8Array>();
  const download = () =>
    new Response(new ReadableStream({ start: (controller) => controller.enqueue(Buffer.from("abc")) }));
  const stuck: [args: string[], machine: object, stdout: string][] = [
    [[], { fetch: server(slow) }, ""],
    [[], { fetch: server(() => refusal(503, "BUSY", "", { "retry-after": "30" })) }, ""],
    [[], { fetch: server(download) }, "abc"],
    [[], { fetch: server(() => "{}"), stdout }, ""],
    [["-d", "@-"], { stdin }, ""],
  ];
  for (const [args, machine, printed] of stuck) {
    const outcome = await command(["/x", ...args, "--timeout", "0.05s"], { env: KEY, ...machine });
    assert.deepEqual(outcome, { code: 124, stdout: printed, stderr: "Gave up after 0.05 s\n" });
  }
  const inTime = await command(["/x", "--timeout", "2h"], { fetch: server(() => "{}") });
  assert.equal(inTime.code, 0);
});

test("atlas-fetch ends with the exit code of the signal, whatever it is about", async () => {
  const signals: [name: string, exitCode: number][] = [["SIGINT", 130], ["SIGTERM", 143]];
  for (const [name, exitCode] of signals) {
    for (const args of [[], ["--wait", "stateName=IDLE"], ["--paginate"]]) {
      const ending = new AbortController();
      const fetch = server(() => {
        setTimeout(() => ending.abort(Object.assign(new Error(`Ended by ${name}`), { exitCode })), 5);
        return args.includes("--wait") ? state("CREATING") : new Promise(() => {});
      });
      const sleep = () => new Promise(() => {});
      const outcome = await command(["/x", ...args], { fetch, sleep, signal: ending.signal });
      assert.deepEqual([outcome.code, outcome.stdout], [exitCode, ""]);
      const reached = args.includes("--wait") ? ". stateName is CREATING" : "";
      assert.equal(outcome.stderr, `Ended by ${name}${reached}\n`);
    }
  }
});

// --verbose -----------------------------------------------------------------------------------------------

test("atlas-fetch --verbose tells each request in one line on stderr", async () => {
  const fake = createFakeAtlas();
  const env = {
    MONGODB_ATLAS_PUBLIC_API_KEY: fake.credentials.publicKey,
    MONGODB_ATLAS_PRIVATE_API_KEY: fake.credentials.privateKey,
  };
  const { stdout, stderr } = await command(["/groups?itemsPerPage=1", "-v", "-q", "totalCount"], { env, fetch: fake });
  assert.equal(stdout, "3\n");
  assert.match(stderr, /^(GET \/api\/atlas\/v2\/groups\?itemsPerPage=1 401 \d+ ms\n)(GET \/\S+ 200 \d+ ms\n)$/);
  const posted = await command(["/groups", "-v", "-d", "{}"], { fetch: server(() => "{}") });
  assert.match(posted.stderr, /^POST \/api\/atlas\/v2\/groups 200 \d+ ms\n$/);
});

test("atlas-fetch --verbose tells the requests for tokens, and those that fail", async () => {
  const env = { MONGODB_ATLAS_CLIENT_ID: "mdb_sa_id_1", MONGODB_ATLAS_CLIENT_SECRET: "s3cr3t" };
  const fetch = server(({ url }) =>
    url.pathname.includes("oauth") ? '{"access_token":"t0ken"}' : Promise.reject(new TypeError("Odd"))
  );
  const { code, stderr } = await command(["/x", "-v"], { env, fetch });
  assert.match(stderr, /^POST \/api\/oauth\/token 200 \d+ ms\nGET \/api\/atlas\/v2\/x failed after \d+ ms\nOdd\n$/);
  assert.equal(code, 1);
});

test("atlas-fetch --verbose says how long it waits, where it does", async () => {
  const fetch = server((_, count) => count === 1 ? refusal(429, "RATE_LIMITED", "", { "retry-after": "1" }) : "{}");
  const outcome = await command(["/x", "-v"], { fetch });
  assert.match(outcome.stderr, /^GET \S+ 429 \d+ ms\nwaiting 1 s\nGET \S+ 200 \d+ ms\n$/);
  const later = server(() => refusal(429, "RATE_LIMITED", "", { "retry-after": "3600" }));
  const { stderr } = await command(["/x", "-v"], { fetch: later });
  assert.match(stderr, /^GET \S+ 429 \d+ ms\n429 RATE_LIMITED/); // which is not waited for
  const waited = await command(["/x", "--wait", "a", "-v"], {
    fetch: server((_, count) => count === 1 ? "{}" : '{"a":1}'),
  });
  assert.match(waited.stderr, /^GET \S+ 200 \d+ ms\nwaiting 1 s\nGET \S+ 200 \d+ ms\n$/);
});

// Progress ------------------------------------------------------------------------------------------------

const never = new Promise<never>(() => {});
const page = '{"results":[1,2],"links":[{"rel":"next","href":"?pageNum=2"}]}';
const stuck = (first: Uint8Array) => new Response(new ReadableStream({ start: (stream) => stream.enqueue(first) }));

/** What a terminal shows of a call that goes on for ever, with a clock a hundred times as fast. */
async function shown(args: readonly string[], machine: Machine): Promise<string> {
  const stderr = { ...memory(true), columns: 40 };
  const stop = new AbortController();
  setTimeout(() => stop.abort(Object.assign(new Error("Stopped"), { exitCode: 130 })), 400);
  const { setInterval } = globalThis;
  const hurried = (work: () => void, ms: number, ...given: []) => setInterval(work, ms / 100, ...given);
  globalThis.setInterval = Object.assign(hurried, setInterval);
  try {
    const running = command(args, { sleep: () => never, stderr, signal: stop.signal, ...machine });
    globalThis.setInterval = setInterval;
    assert.equal((await running).code, 130);
  } finally {
    globalThis.setInterval = setInterval;
  }
  return stderr.text();
}

/** Calls that go on for ever, and what is shown of them. */
const works = (): [args: string[], machine: Machine, text: RegExp][] => [
  [["/x.gz"], { fetch: server(() => stuck(new Uint8Array(2e6))), stdout: memory() }, /^2\.0 MB, \d+\.\d MB\/s$/],
  [
    ["/x", "--paginate"],
    { fetch: server((_, count) => count === 1 ? page : never), stdout: memory() },
    /^1 pages, 2 items$/,
  ],
  [["/x", "--wait", "a=b"], { fetch: server(() => `{"a":"c\u{9b}"}`) }, /^a is "c\\u009b", \d s$/],
  [["/x", "--wait", "a"], { fetch: server(() => `{"ab":"${"c".repeat(80)}"}`) }, /^There is no a, \d s$/],
  [["/x"], { fetch: server(() => refusal(503, "BUSY", "", { "retry-after": "30" })) }, /^waiting (29|30) s$/],
];

test("atlas-fetch shows on a terminal how work that takes long goes on, in one line", async () => {
  await Promise.all(
    works().map(async ([args, machine, text]) => {
      const lines = (await shown(args, machine)).split("\r\x1b[K");
      assert.ok(lines.some((line) => text.test(line)), `${args}: ${JSON.stringify(lines)}`);
      for (const line of lines) assert.ok(line.length < 40 || line.startsWith("Stopped"), line);
      assert.match(String(lines.at(-1)), /^Stopped.*\n$/); // on a line that was erased before
    }),
  );
});

test("atlas-fetch rewrites no line under NO_COLOR or TERM=dumb, and prints a new one now and then", async () => {
  await Promise.all([{ NO_COLOR: "1" }, { TERM: "dumb" }].map(async (env) => {
    for (const [args, machine, text] of works().slice(1, 2)) {
      const printed = await shown(args, { ...machine, env: { ...KEY, ...env } });
      assert.ok(!printed.includes("\x1b") && !printed.includes("\r"));
      assert.ok(printed.split("\n").some((line) => text.test(line)), printed);
      assert.ok(printed.split("\n").length < 10, printed); // a tenth as often
    }
  }));
});

test("atlas-fetch takes away what it has shown when it is done", async () => {
  const stderr = memory(true);
  const { setInterval } = globalThis;
  globalThis.setInterval = Object.assign((work: () => void) => setInterval(work, 10), setInterval);
  const slow = server((_, count) => count === 1 ? page : new Promise((resolve) => setTimeout(resolve, 100, "[]")));
  const running = command(["/x", "--paginate"], { fetch: slow, stderr });
  globalThis.setInterval = setInterval;
  assert.equal((await running).code, 0);
  assert.match(stderr.text(), /1 pages, 2 items/);
  assert.ok(stderr.text().endsWith("\r\x1b[K"));
});

test("atlas-fetch shows no more how it goes once it prints to the same terminal, and tells all else on a new line", async () => {
  const printed: string[] = [];
  const write = (data: string | Uint8Array) => Promise.resolve(void printed.push(String(data)));
  const screen = { ...memory(true), write };
  const stuck = server((_, count) => count === 1 ? page : never);
  await shown(["/x", "--paginate"], { fetch: stuck, stdout: screen, stderr: screen });
  assert.deepEqual(printed, ["[\n  1,\n  2", "\nStopped. 2 items are out, and the array is not closed\n"]);
  printed.length = 0;
  const list = server((_, count) => count === 1 ? page : "[3]");
  await command(["/x", "--paginate", "-v"], { fetch: list, stdout: screen, stderr: screen });
  assert.match(printed.join(""), /^GET .*\n\[\n {2}1,\n {2}2\nGET .*\n,\n {2}3\n\]\n$/);
});

// Warnings ------------------------------------------------------------------------------------------------

test("atlas-fetch warns once of a version that is deprecated", async () => {
  const warnings: [headers: Record<string, string>, said: string][] = [
    [{ deprecation: "@1735689600", sunset: "Mon, 1 Mar 2027 00:00:00 GMT" }, " since 2025-01-01, until 2027-03-01"],
    [{ deprecation: "Wed, 01 Jan 2025 00:00:00 GMT" }, " since 2025-01-01"],
    [{ deprecation: "true", sunset: "@99999999999999999" }, ""],
  ];
  for (const [headers, said] of warnings) {
    const fetch = server((_, count) => new Response(count === 1 ? page : "[]", { headers }));
    const { code, stdout, stderr } = await command(["/groups", "--paginate"], { fetch });
    assert.deepEqual([code, stdout, fetch.requests.length], [0, "[\n1,\n2\n]\n", 2]);
    const warning = "Warning: this version of /api/atlas/v2/groups is deprecated";
    assert.equal(stderr, `${warning}${said}. Try a later --api-version\n`);
  }
});

// The network ---------------------------------------------------------------------------------------------

test("atlas-fetch tries a connection again that was lost or never made, and says where to", async () => {
  await withoutJitter(async () => {
    const losses: [args: string[], code: string, requests: number, stderr: RegExp][] = [
      [[], "ECONNRESET", 3, /^Lost the connection to cloud\.mongodb\.com: It is ECONNRESET\n$/],
      [[], "ENOTFOUND", 3, /^Cannot reach cloud\.mongodb\.com: It is ENOTFOUND\n$/],
      [["-d", "{}"], "ECONNREFUSED", 3, /^Cannot reach cloud\.mongodb\.com: It is ECONNREFUSED\n$/],
      [
        ["-d", "{}"],
        "ECONNRESET",
        1,
        /POST .*\/x may have been executed \(It is ECONNRESET\)\. Look before you send it again\n$/,
      ],
    ];
    for (const [args, code, requests, stderr] of losses) {
      const fetch = server(() => failed(code));
      const outcome = await command(["/x", ...args], { fetch });
      assert.deepEqual([outcome.code, outcome.stdout, fetch.requests.length], [1, "", requests]);
      assert.match(outcome.stderr, stderr);
    }
    const fetch = server((_, count) => count < 3 ? failed("ECONNRESET") : "{}");
    assert.equal((await command(["/x"], { fetch })).stdout, "{}");
  });
});

test("atlas-fetch says why no token came", async () => {
  // Of a host with two addresses Node says a code, and no more.
  const refused = Object.assign(new Error("connect ECONNREFUSED ::1:443"), { code: "ECONNREFUSED" });
  const cause = Object.assign(new AggregateError([refused]), { code: "ECONNREFUSED" });
  const fetch = server(() => Promise.reject(new TypeError("fetch failed", { cause })));
  const env = { MONGODB_ATLAS_CLIENT_ID: "mdb_sa_id_1", MONGODB_ATLAS_CLIENT_SECRET: "s3cr3t" };
  const { code, stderr } = await command(["/x", "-d", "{}"], { fetch, env });
  assert.match(stderr, /^Cannot get an access token: cloud\.mongodb\.com did not answer: ECONNREFUSED\n$/);
  assert.equal(code, 1);
});

test("atlas-fetch says how a proxy or a company's certificate can be used", async () => {
  const env = { ...KEY, HTTPS_PROXY: "http://ada:s3cr3t@proxy.example:3128" };
  const hint = /For Node to use HTTPS_PROXY, set NODE_USE_ENV_PROXY=1\n$/;
  const machines: [machine: Machine, hint: RegExp][] = [
    [{ env, versions: { node: "22.21.0" } }, hint],
    [{ env: { ...KEY, https_proxy: "http://proxy.example" }, versions: { node: "24.1.0" } }, hint],
    [{ env, versions: { node: "22.20.0" } }, /This Node knows no HTTPS_PROXY: Node 22\.21 and 24 do/],
    [{ env: { ...env, NODE_USE_ENV_PROXY: "1" }, versions: { node: "20.19.0" } }, /This Node knows no HTTPS_PROXY/],
    [{ env: { ...env, NODE_USE_ENV_PROXY: "1" }, versions: { node: "24.1.0" } }, /It is ECONNREFUSED\n$/],
    [{ env, useProxy: () => {}, versions: { node: "24.14.0" } }, /It is ECONNREFUSED\n$/],
    [{ env, versions: { node: "24.0.0", deno: "2.9.6" } }, /It is ECONNREFUSED\n$/],
    [{ env, versions: { node: "24.0.0", bun: "1.4.5" } }, /It is ECONNREFUSED\n$/],
    [{ versions: { node: "20.19.0" } }, /It is ECONNREFUSED\n$/],
  ];
  await withoutJitter(async () => {
    for (const [machine, hint] of machines) {
      const { code, stderr } = await command(["/x"], { fetch: server(() => failed("ECONNREFUSED")), ...machine });
      assert.equal(code, 1);
      assert.match(stderr, /^Cannot reach cloud\.mongodb\.com: It is ECONNREFUSED/);
      assert.match(stderr, hint);
      assert.doesNotMatch(stderr, /s3cr3t/);
    }
    const fetch = server(() => failed("SELF_SIGNED_CERT_IN_CHAIN", "self-signed certificate in certificate chain"));
    const { code, stderr } = await command(["/x"], { fetch });
    assert.deepEqual([code, fetch.requests.length], [1, 1]);
    assert.match(stderr, /^self-signed certificate in certificate chain\. .*NODE_EXTRA_CA_CERTS/);
    const odd = server(() => Promise.reject(new TypeError("fetch failed")));
    assert.equal((await command(["/x"], { fetch: odd })).stderr, "fetch failed\n");
  });
});

test("atlas-fetch lets Node use the proxy of the environment, where there is one and Node can", async () => {
  let count = 0;
  const useProxy = () => void count++;
  const fetch = server(() => "{}");
  await command(["/x"], { fetch, useProxy });
  await command(["/x", "--fake"], { useProxy, env: { HTTPS_PROXY: "http://127.0.0.1:1" } });
  assert.equal(count, 0);
  await command(["/x"], { fetch, useProxy, env: { ...KEY, https_proxy: "http://127.0.0.1:1" } });
  assert.equal(count, 1);
  const wrong = () => {
    throw new TypeError("Invalid URL: http://ada:s3cr3t@");
  };
  const env = { ...KEY, HTTPS_PROXY: "http://ada:s3cr3t@" };
  const outcome = await command(["/x"], { fetch, useProxy: wrong, env });
  const stderr = "Cannot use the proxy of HTTPS_PROXY: it is no URL\n";
  assert.deepEqual(outcome, { code: 2, stdout: "", stderr });
});

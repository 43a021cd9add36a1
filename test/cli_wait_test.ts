import assert from "node:assert/strict";
import { test } from "node:test";
import type { Fetch } from "../mod.ts";
import { command, KEY, refusal, server } from "./command.ts";

const state = (stateName: unknown) => JSON.stringify({ stateName, id: 12345678901234567890n.toString() });

/** Runs it with a clock that only counts. */
async function waited(args: readonly string[], fetch: Fetch, machine: object = {}) {
  const pauses: number[] = [];
  const sleep = (ms: number) => Promise.resolve(pauses.push(Math.round(ms / 100) / 10));
  return { ...await command(args, { fetch, sleep, ...machine }), pauses };
}

/** A connection that fails as Node says it. */
function failed(code: string): Promise<never> {
  return Promise.reject(new TypeError("fetch failed", { cause: Object.assign(new Error(`It is ${code}`), { code }) }));
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

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { command, KEY, type Machine, refusal, server, withoutJitter } from "./command.ts";

/** Any JSON that is there. */
const file = fileURLToPath(new URL("../package.json", import.meta.url));

const help = (await command(["--help"])).stdout;

test("atlas-fetch --help fits a terminal of 80 by 24, and goes to stdout", async () => {
  assert.deepEqual(await command(["/groups", "-h"]), { code: 0, stdout: help, stderr: "" });
  const lines = help.trimEnd().split("\n");
  assert.ok(lines.length <= 23, `${lines.length} lines`);
  for (const line of lines) assert.ok(line.length <= 79, line);
});

test("atlas-fetch --version is that of package.json", async () => {
  const { version } = JSON.parse(await readFile(file, "utf8"));
  assert.deepEqual(await command(["--version"]), { code: 0, stdout: `${version}\n`, stderr: "" });
});

test("atlas-fetch knows each option that its help names, by its letter too", async () => {
  const values: Record<string, string> = {
    METHOD: "patch",
    JSON: "{}",
    "'N: V'": "accept-language: en",
    PATH: "a[].b",
    "PATH[=VALUE]": "a",
    TIME: "90s",
    FILE: "-",
    FORMAT: "csv",
    DATE: "2024-08-05",
  };
  const options = [...help.matchAll(/^ {2}(?:(-\w), | {4})(--[\w-]+) ('N: V'|\S*)/gm)];
  assert.equal(options.length, 15);
  for (const [, letter, name = "", value = ""] of options) {
    for (const option of letter ? [letter, name] : [name]) {
      const args = [option, ...(value ? [String(values[value])] : []), "/groups"];
      const outcome = await command(args, { fetch: server(() => '{"a":[]}') });
      assert.deepEqual([outcome.code, outcome.stderr.split(" ")[0]], [
        0,
        name === "--verbose" || letter === "-v" ? "GET" : "",
      ], option);
    }
  }
});

// What is typed wrong -------------------------------------------------------------------------------------

/** The arguments, what is said of them, and what differs from the usual machine. */
const mistakes: [args: string[], said: RegExp, machine?: Machine][] = [
  [[], /no PATH is given.*atlas-fetch \/groups.*--help/],
  [[""], /no PATH is given/],
  [["/groups", "/orgs"], /two paths/],
  [["C:/Program Files/Git/groups"], /Git Bash.*without its leading slash/],
  [["/groups/{clusterName}"], /Nothing fills in \{clusterName\}: write its value there/],
  [["/groups/{groupId}"], /\{groupId\}: set MONGODB_ATLAS_PROJECT_ID, or write/],
  [["/orgs/{orgId}"], /\{orgId\}: set MONGODB_ATLAS_ORG_ID, or write/],
  [["/orgs/{orgId}"], /Cannot fill in \{orgId\}/, { env: { ...KEY, MONGODB_ATLAS_ORG_ID: ".." } }],
  [["/groups", "--paginat"], /^There is no option --paginat: did you mean --paginate\?/],
  [["/groups", "--verbos"], /did you mean --verbose\?/],
  [["/groups", "--tiemout", "9s"], /did you mean --timeout\?/],
  [["/groups", "--wiat", "a"], /did you mean --wait\?/],
  [["/groups", "--heder", "a: b"], /did you mean --header\?/],
  [["/groups", "--outptu=x"], /There is no option --outptu: did you mean --output\?/],
  [["/groups", "-z"], /There is no option -z: see atlas-fetch --help/],
  [["/groups", "--request", "POST"], /use --method, -X/],
  [["/groups", "--input", "x"], /use --data @FILE/],
  [["/groups", "--json", "{}"], /use --data, -d/],
  [["/groups", "--jq", "."], /use --query, -q, or pipe into jq/],
  [["--user", "abc:s3cr3t", "/groups"], /command line.*MONGODB_ATLAS_PUBLIC_API_KEY and MONGODB_ATLAS_PRIVATE_API_KEY/],
  [["-u", "abc:s3cr3t", "/groups"], /all can see keys on a command line/],
  [["-uabc:s3cr3t", "/groups"], /all can see keys on a command line/],
  [["/groups", "-o"], /^-o needs a value: see atlas-fetch --help/],
  [["/groups", "-o", "-q", "x"], /^-o needs a value/],
  [["/groups", "--output="], /^--output needs a value/],
  [["/groups", "--fake=s3cr3t"], /^--fake takes no value/],
  [["/groups", "-H", "s3cr3t"], /--header 'Name: value'/],
  [["/groups", "-H", "authorization: Bearer s3cr3t"], /set MONGODB_ATLAS_ACCESS_TOKEN/],
  [["/groups", "-H", "x: s3cr3t\u{1f511}"], /header/],
  [["/groups", "--format", "s3cr3t"], /--format is json, csv or gzip/],
  [["/groups", "--api-version", "s3cr3t"], /--api-version is a date, as 2025-03-12, or preview/],
  [["/groups", "--timeout", "90"], /--timeout is a time such as 90s, 30m or 2h/],
  [["/groups", "--timeout", "0s"], /--timeout is a time/],
  [["/groups", "--timeout", "501h"], /up to 500h/],
  [["/groups", "--port", "80"], /--port is for atlas-fetch serve/],
  [["serve", "--fake"], /serve takes --port, and no other option/],
  [["serve", "--port", "s3cr3t"], /--port is a number/],
  [["serve", "--port", "70000"], /--port is a number/],
  [["/groups", "-q", "results[].name|length"], /Cannot read -q results\[\]\.name\|length: .* jq/],
  [["/groups", "-q", "a..b"], /jq/],
  [["/groups", "--wait", "results[].name=x"], /--wait is for one value: write \[N\]/],
  [["/groups", "--wait", "a b"], /^Cannot read --wait: it takes names/],
  [["/groups", "--wait", "a", "-X", "POST"], /--wait asks by GET/],
  [["/groups", "--wait", "a", "-d", "{}"], /--wait asks by GET/],
  [["/groups", "--wait", "a", "--format", "csv"], /are for JSON/],
  [["/groups", "--paginate", "-d", "{}"], /--paginate is for GET/],
  [["/groups", "--paginate", "-i"], /--paginate.*--include/],
  [["/groups", "--paginate", "--wait", "a"], /--paginate and --wait/],
  [["/groups", "--paginate", "-q", "results[].id"], /'\[\]\.id'/],
  [["/groups", "--paginate", "-q", "."], /'\[\]\.id'/],
  [["/a.gz?x=1", "--paginate"], /are for JSON/],
  [["/groups", "--curl", "--fake"], /atlas-fetch serve/],
  [["/groups", "-o", "folder/"], /--output is a file/],
  [["/groups", "-d", "{name:x}"], /no JSON. If a shell has eaten its quotes, use a file: --data @FILE/],
  [["/groups", "-d", `@${file}x`], /Cannot read .*package\.jsonx: /],
  [["/groups", "-d", `@${import.meta.filename}`], /Cannot send .*cli_test\.ts: it is no JSON/],
  [["/groups", "-d", "@-"], /Cannot send standard input: it is no JSON/],
  [["/groups", "-X", "GET", "-d", "{}"], /body with GET/],
  [["/a.gz"], /gzip on a terminal: save it by --output FILE/, { isTerminal: true, env: { ...KEY, TERM: "dumb" } }],
  [["/a", "--format", "gzip", "-o", "-"], /--output FILE/, { isTerminal: true, env: { ...KEY, TERM: "dumb" } }],
  [["https://evil.example/"], /https:\/\/evil\.example.*MONGODB_ATLAS_BASE_URL/],
  [["https://ada:s3cr3t@cloud.mongodb.com/"], /without user name and password/],
];

test("atlas-fetch says in one line what was typed wrong, repeats no secret, sends nothing and exits 2", async () => {
  for (const [args, said, machine] of mistakes) {
    const fetch = server(() => "{}");
    const { code, stdout, stderr } = await command(args, { fetch, ...machine });
    assert.equal(code, 2, `${args}: ${stderr}`);
    assert.match(stderr, /^[^\n]+\n$/, String(args));
    assert.match(stderr, said, String(args));
    assert.doesNotMatch(stderr, /s3cr3t/, String(args));
    assert.deepEqual([stdout, fetch.requests.length], ["", 0], String(args));
  }
});

// Credentials ---------------------------------------------------------------------------------------------

test("atlas-fetch without credentials asks nobody, not its fake either, and names all variables that would do", async () => {
  for (const env of [{}, { MONGODB_ATLAS_PUBLIC_KEY_API: "abcdefgh" }, { MONGODB_ATLAS_ACCESS_TOKEN: "" }]) {
    const { code, stdout, stderr } = await command(["/groups"], { env });
    assert.deepEqual([code, stdout], [2, ""]);
    for (
      const name of ["ACCESS_TOKEN", "CLIENT_ID and MONGODB_ATLAS_CLIENT_SECRET", "PUBLIC_API_KEY", "PRIVATE_API_KEY"]
    ) {
      assert.ok(stderr.includes(`MONGODB_ATLAS_${name}`), stderr);
    }
    assert.match(stderr, /^Cannot find Atlas credentials: .*ATLAS_USER and ATLAS_USER_KEY\. .*--fake\n$/);
  }
});

test("atlas-fetch names what half a pair lacks, and ignores half a pair beside a whole one", async () => {
  const half = { MONGODB_ATLAS_CLIENT_SECRET: "s3cr3t" };
  const { code, stderr } = await command(["/"], { env: half });
  assert.equal(code, 2);
  assert.match(
    stderr,
    /MONGODB_ATLAS_CLIENT_ID is missing\. Give both MONGODB_ATLAS_CLIENT_ID and MONGODB_ATLAS_CLIENT_SECRET/,
  );
  assert.equal((await command(["/"], { env: { ...half, ...KEY }, fetch: server(() => "{}") })).code, 0);
});

test("atlas-fetch names the variable of a base URL and of credentials that cannot be right", async () => {
  const wrong: [Record<string, string>, RegExp][] = [
    [
      { MONGODB_ATLAS_BASE_URL: "s3cr3t" },
      /MONGODB_ATLAS_BASE_URL.* is not an origin such as https:\/\/cloud\.mongodb\.com/,
    ],
    [{ MONGODB_ATLAS_BASE_URL: "http://example.com" }, /https:/],
    [
      { MONGODB_ATLAS_PUBLIC_API_KEY: "mdb_sa_id_1" },
      /: set MONGODB_ATLAS_CLIENT_ID and MONGODB_ATLAS_CLIENT_SECRET\n$/,
    ],
    [{ MONGODB_ATLAS_PRIVATE_API_KEY: "s3cr3t\n" }, /line break/],
  ];
  for (const [env, said] of wrong) {
    const { code, stdout, stderr } = await command(["/"], { env: { ...KEY, ...env } });
    assert.deepEqual([code, stdout], [2, ""], stderr);
    assert.match(stderr, said);
    assert.doesNotMatch(stderr, /s3cr3t/);
  }
});

test("atlas-fetch sends an access token of the environment before all else", async () => {
  const fetch = server(() => "{}");
  await command(["/"], { fetch, env: { ...KEY, MONGODB_ATLAS_ACCESS_TOKEN: "token-1" } });
  assert.equal(fetch.requests[0]?.headers.get("authorization"), "Bearer token-1");
});

// What is sent --------------------------------------------------------------------------------------------

async function* chunks(...texts: string[]): AsyncGenerator<Uint8Array> {
  for (const text of texts) yield await Promise.resolve(new TextEncoder().encode(text));
}

test("atlas-fetch sends method, headers, body, version and format as they are given", async () => {
  const type = (version: string) => `application/vnd.atlas.${version}+json`;
  const calls: [args: string[], method: string, accept: string, body: string][] = [
    [["/groups"], "GET", type("2025-03-12"), ""],
    [["/groups", "-d", "[1]"], "POST", type("2025-03-12"), "[1]"],
    [["/groups", "--data", `@${file}`, "-X", "patch"], "PATCH", type("2025-03-12"), await readFile(file, "utf8")],
    [["/groups", "-X", "delete"], "DELETE", type("2025-03-12"), ""],
    [["/groups", "-d", "@-"], "POST", type("2025-03-12"), '{"big":12345678901234567890}'],
    [["/groups", "--api-version", "2024-08-05"], "GET", type("2024-08-05"), ""],
    [["/groups", "--api-version", "2025-03-12.upcoming"], "GET", type("2025-03-12.upcoming"), ""],
    [["/groups", "--api-version=preview"], "GET", type("preview"), ""],
    [["/groups", "--format", "csv"], "GET", "application/vnd.atlas.2025-03-12+csv", ""],
    [["/x.gz?a=b#c"], "GET", "application/vnd.atlas.2025-03-12+gzip", ""],
    [["/x?file=a.gz"], "GET", type("2025-03-12"), ""],
    [["/x.gz", "-H", "Accept: text/plain", "-H", "X-Two:2"], "GET", "text/plain", ""],
  ];
  for (const [args, method, accept, body] of calls) {
    const fetch = server(() => "{}");
    const { code, stderr } = await command(args, { fetch, stdin: chunks('{"big":1234567890', "1234567890}") });
    assert.equal(code, 0, stderr);
    const [request] = fetch.requests;
    assert.deepEqual([request?.method, request?.headers.get("accept"), request?.body], [method, accept, body]);
    assert.equal(request?.headers.get("x-two"), args.includes("X-Two:2") ? "2" : null);
  }
});

test("atlas-fetch reads standard input for @- only", async () => {
  const machine = { fetch: server(() => "{}"), stdin: { [Symbol.asyncIterator]: () => assert.fail("It was read") } };
  for (const args of [["/groups"], ["/groups", "-d", "{}"], ["/groups", "-X", "POST"]]) {
    assert.equal((await command(args, machine)).code, 0);
  }
});

test("atlas-fetch fills in {groupId} and {orgId}, each as one segment", async () => {
  const fetch = server(() => "{}");
  const env = {
    ...KEY,
    MONGODB_ATLAS_PROJECT_ID: "a/../b?c",
    MONGODB_ATLAS_ORG_ID: "5f",
    MONGODB_ATLAS_BASE_URL: "https://cloud.mongodbgov.com/",
  };
  await command(["/groups/{groupId}/x?org={orgId}"], { fetch, env });
  assert.equal(fetch.requests[0]?.url.href, "https://cloud.mongodbgov.com/api/atlas/v2/groups/a%2F..%2Fb%3Fc/x?org=5f");
});

test("atlas-fetch --fake asks its own fake, with that one's ids, whatever the environment says", async () => {
  const env = { ...KEY, MONGODB_ATLAS_PROJECT_ID: "real", MONGODB_ATLAS_BASE_URL: "https://real.example" };
  const { code, stdout, stderr } = await command(["--fake", "/groups/{groupId}/clusters", "-q", "results[].name"], {
    env,
  });
  assert.deepEqual([code, stdout, stderr], [0, "Cluster0\n", ""]);
  const { stdout: groups } = await command(["--fake", "/groups?org={orgId}", "-q", "totalCount"], { env: {} });
  assert.equal(groups, "3\n");
});

// How it ends ---------------------------------------------------------------------------------------------

test("atlas-fetch exits 0 for a success, 4 and 5 for what the server still says, 1 for what else fails", async () => {
  const retried = { "retry-after": "0" };
  const ends: [code: number, args: string[], answer: (count: number) => string | Response, requests: number][] = [
    [0, ["/x"], () => "{}", 1],
    [0, ["/x"], () => new Response(null, { status: 204 }), 1],
    [0, ["/x"], (count) => count < 3 ? refusal(503, "BUSY", "Later", retried) : "{}", 3],
    [4, ["/x"], () => refusal(404, "CLUSTER_NOT_FOUND", "No cluster"), 1],
    [4, ["/x"], () => refusal(401, "USER_UNAUTHORIZED", "No role"), 1],
    [4, ["/x", "-d", "{}"], () => refusal(409, "DUPLICATE", "It is there"), 1],
    [4, ["/x"], () => refusal(429, "RATE_LIMITED", "Too many", { "retry-after": "3600" }), 1],
    [5, ["/x"], () => refusal(500, "UNEXPECTED_ERROR", "Oh", retried), 3],
    [5, ["/x", "-d", "{}"], () => refusal(503, "BUSY", "Later", retried), 1],
    [1, ["/x"], () => new Response(null, { status: 304 }), 1],
    [1, ["/x", "-q", "a"], () => '{"b":1}', 1],
    [1, ["/x", "-q", "a"], () => "<html>", 1],
    [1, ["/x", "-q", "a"], () => new Response(null, { status: 204 }), 1],
    [1, ["/x", "-o", "/dev/null/out"], () => "{}", 0],
  ];
  for (const [code, args, answer, requests] of ends) {
    const fetch = server((_, count) => answer(count));
    const outcome = await withoutJitter(() => command(args, { fetch }));
    assert.deepEqual([outcome.code, fetch.requests.length], [code, requests], `${args}: ${outcome.stderr}`);
    if (code > 0) assert.match(outcome.stderr, /^[^\n]+\n$/);
    if (code > 0) assert.equal(outcome.stdout, "");
  }
});

test("atlas-fetch tells a refusal in one line with a hint", async () => {
  const refusals: [Response, RegExp][] = [
    [
      refusal(403, "IP_ADDRESS_NOT_ON_ACCESS_LIST", "IP address 203.0.113.9 is not allowed."),
      /203\.0\.113\.9 .*Add your address to the access list/,
    ],
    [refusal(406, "INVALID_VERSION_DATE", "Invalid version"), /--api-version.*--format/],
    [refusal(410, "VERSION_GONE", "It has ended"), /--api-version/],
    [refusal(429, "RATE_LIMITED", "Too many", { "retry-after": "3600" }), /3600 s/],
    [new Response("<html><title>Bad\ngateway</title>", { status: 400 }), /^400.*Bad gateway/],
  ];
  for (const [response, hint] of refusals) {
    const { code, stdout, stderr } = await command(["/groups"], { fetch: server(() => response) });
    assert.deepEqual([code, stdout], [4, ""]);
    assert.match(stderr, /^\d{3} ([^\n]* )?at \/api\/atlas\/v2\/groups: [^\n]+\n$/);
    assert.match(stderr, hint);
    assert.doesNotMatch(stderr, /option|baseUrl|tokenStore/);
  }
});

test("atlas-fetch ends quietly with 0 when its reader has seen enough, and with 1 when stdout cannot be written", async () => {
  const failing = (code: string) => ({
    isTTY: false,
    columns: 80,
    write: () => Promise.reject(Object.assign(new Error(`${code}: it cannot be written`), { code })),
  });
  const fetch = server(() => "{}");
  for (const args of [["/x"], ["/x", "-q", "."], ["/x", "-i"], ["/x", "--paginate"], ["--help"], ["/x", "--curl"]]) {
    assert.deepEqual(await command(args, { fetch, stdout: failing("EPIPE") }), { code: 0, stdout: "", stderr: "" });
    const full = await command(args, { fetch, stdout: failing("ENOSPC") });
    assert.deepEqual(full, {
      code: 1,
      stdout: "",
      stderr: "Cannot write to standard output: ENOSPC: it cannot be written\n",
    });
  }
  // Nobody can be told, and it goes on.
  assert.equal((await command(["/x", "-v"], { fetch, stderr: failing("EIO") })).code, 0);
});

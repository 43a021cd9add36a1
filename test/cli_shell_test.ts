import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readdir, rm } from "node:fs/promises";
import { createServer as createHttpServer } from "node:http";
import { connect, createServer } from "node:net";
import { constants, tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { createAtlasFetch } from "../mod.ts";
import { command, KEY, memory, server } from "./command.ts";

// --curl --------------------------------------------------------------------------------------------------

const pub = '"$MONGODB_ATLAS_PUBLIC_API_KEY" "$MONGODB_ATLAS_PRIVATE_API_KEY"';
const accept = "-H 'accept: application/vnd.atlas.2025-03-12+json'";
const digest = (rest: string) =>
  `printf 'user = "%s:%s"\\n' ${pub} | curl -sS --globoff --config - --digest --fail-with-body ${rest}\n`;

test("atlas-fetch --curl prints a command in which keys are variables, and sends nothing", async () => {
  const url = "'https://cloud.mongodb.com/api/atlas/v2";
  const json = "-H 'content-type: application/json'";
  const calls: [args: string[], rest: string][] = [
    [["/groups?a=b c#d"], `${accept} ${url}/groups?a=b%20c'`],
    [["/groups/{groupId}/x"], `${accept} ${url}/groups/a%2Fb/x'`],
    [["/groups", "-d", '{"a":"it\'s"}'], `${accept} ${json} --data-binary '{"a":"it'\\''s"}' ${url}/groups'`],
    [
      ["/groups", "-X", "patch", "-d", "@a file"],
      `-X 'PATCH' ${accept} ${json} --data-binary '@a file' ${url}/groups'`,
    ],
    [["/groups", "-X", "head"], `--head ${accept} ${url}/groups'`],
    [["/groups", "-X", "delete", "-i", "--timeout", "1.5m"], `-i --max-time 90 -X 'DELETE' ${accept} ${url}/groups'`],
    [["/groups", "-H", "Accept: text/plain", "--verbose"], `-H 'accept: text/plain' ${url}/groups'`],
    [["/a.gz", "--api-version", "2024-08-05"], `-H 'accept: application/vnd.atlas.2024-08-05+gzip' ${url}/a.gz'`],
  ];
  for (const [args, rest] of calls) {
    const fetch = server(() => "{}");
    const outcome = await command([...args, "--curl"], { fetch, env: { ...KEY, MONGODB_ATLAS_PROJECT_ID: "a/b" } });
    assert.deepEqual(outcome, { code: 0, stdout: digest(rest), stderr: "" });
    assert.equal(fetch.requests.length, 0);
  }
  const { stdout } = await command(["/groups", "--curl", "-o", "it's"]);
  assert.equal(stdout, digest(`${accept} ${url}/groups'`).replace("--fail-with-body", "--fail -o 'it'\\''s'"));
});

test("atlas-fetch --curl names the variables that are set, and those of an API key if none are", async () => {
  const { stdout } = await command(["/", "--curl"], { env: {} });
  assert.ok(stdout.includes(pub), stdout);
  const tutorial = await command(["/", "--curl"], { env: { ATLAS_USER: "abc", ATLAS_USER_KEY: "s3cr3t" } });
  assert.ok(
    tutorial.stdout.startsWith(`printf 'user = "%s:%s"\\n' "$ATLAS_USER" "$ATLAS_USER_KEY" | curl `),
    tutorial.stdout,
  );
  const half = await command(["/", "--curl"], { env: { MONGODB_ATLAS_CLIENT_ID: "s3cr3t" } });
  assert.ok(half.stdout.includes(pub), half.stdout);
});

test("atlas-fetch --curl fetches a token first for a service account, at the host of the base URL", async () => {
  const env = {
    MONGODB_ATLAS_CLIENT_ID: "mdb_sa_id_1",
    MONGODB_ATLAS_CLIENT_SECRET: "mdb_sa_sk_s3cr3t",
    MONGODB_ATLAS_BASE_URL: "https://cloud.mongodbgov.com",
  };
  const { stdout } = await command(["/", "--curl"], { env });
  const [mint = "", call = "", end] = stdout.split("\n");
  assert.match(
    mint,
    /^token=\$\(printf 'user = "%s:%s"\\n' "\$MONGODB_ATLAS_CLIENT_ID" "\$MONGODB_ATLAS_CLIENT_SECRET" \| curl -sS /,
  );
  assert.match(mint, / -d grant_type=client_credentials 'https:\/\/cloud\.mongodbgov\.com\/api\/oauth\/token' \| sed /);
  assert.match(
    call,
    /^printf 'header = "Authorization: Bearer %s"\\n' "\$token" \| curl .* 'https:\/\/cloud\.mongodbgov\.com\/api\/atlas\/v2\/'$/,
  );
  assert.equal(end, "");
  assert.doesNotMatch(stdout, /mdb_sa/);
});

test("atlas-fetch --curl takes an access token from its variable", async () => {
  const { stdout } = await command(["/", "--curl"], { env: { ...KEY, MONGODB_ATLAS_ACCESS_TOKEN: "s3cr3t" } });
  assert.match(stdout, /^printf 'header = "Authorization: Bearer %s"\\n' "\$MONGODB_ATLAS_ACCESS_TOKEN" \| curl /);
});

test("atlas-fetch --curl remarks on what curl cannot do, and on a body from standard input", async () => {
  const { code, stdout, stderr } = await command(["/groups", "--curl", "--paginate", "-q", "[].id"]);
  assert.deepEqual([code, stdout], [0, digest(`${accept} 'https://cloud.mongodb.com/api/atlas/v2/groups'`)]);
  assert.equal(stderr, "curl has nothing like --paginate, --query: this asks once, for all there is\n");
  assert.match((await command(["/x", "--curl", "--wait", "404"])).stderr, /^curl has nothing like --wait:/);
  const stdin = { [Symbol.asyncIterator]: () => assert.fail("It was read") };
  const piped = await command(["/groups", "--curl", "-d", "@-"], { stdin });
  assert.match(piped.stdout, / --data-binary '@FILE' /);
  assert.match(piped.stderr, /^Standard input is taken: save the body, and name its file in place of FILE\n$/);
});

test("atlas-fetch --curl refuses what the call itself would be refused for", async () => {
  for (const args of [["https://evil.example/"], ["/{x}"], ["/x", "-d", "{a}"], ["/x", "-X", "GET", "-d", "{}"]]) {
    const { code, stdout, stderr } = await command([...args, "--curl"]);
    assert.deepEqual([code, stdout], [2, ""], stderr);
  }
});

// serve ---------------------------------------------------------------------------------------------------

/** Runs `atlas-fetch serve` while work is done with what it prints, and then ends it as a signal does. */
async function serving(env: Record<string, string>, work: (printed: string) => unknown, exitCode = 130) {
  const ending = new AbortController();
  const stderr = memory();
  let print = (_text: string) => {};
  const printed = new Promise<string>((resolve) => print = resolve);
  const stdout = { ...memory(), write: (data: string | Uint8Array) => Promise.resolve(print(String(data))) };
  const running = command(["serve"], { env, stdout, stderr, signal: ending.signal });
  await work(await printed);
  ending.abort(Object.assign(new Error("Ended"), { exitCode }));
  const { code } = await running;
  return { code, stderr: stderr.text() };
}

/** The variables that a shell would have. */
function exported(printed: string): Record<string, string> {
  return Object.fromEntries([...printed.matchAll(/^export (\w+)='(.*)'$/gm)].map(([, name, value]) => [name, value]));
}

test("atlas-fetch serve prints in one piece what lets a shell ask its fake, and logs the requests", async () => {
  const { code, stderr } = await serving({}, async (printed) => {
    const variables = exported(printed);
    const { MONGODB_ATLAS_BASE_URL: baseUrl = "", MONGODB_ATLAS_PUBLIC_API_KEY: publicKey = "" } = variables;
    assert.match(
      printed,
      /^unset MONGODB_ATLAS_ACCESS_TOKEN MONGODB_ATLAS_CLIENT_ID MONGODB_ATLAS_CLIENT_SECRET\n(export \w+='[^'\n]+'\n){5}$/,
    );
    assert.match(baseUrl, /^http:\/\/127\.0\.0\.1:\d+$/);
    assert.deepEqual([variables.NO_PROXY, variables.no_proxy], ["127.0.0.1", "127.0.0.1"]);
    const credentials = { publicKey, privateKey: String(variables.MONGODB_ATLAS_PRIVATE_API_KEY) };
    const atlasFetch = createAtlasFetch({ baseUrl, credentials });
    const created = await atlasFetch("/groups", {
      method: "POST",
      body: '{"name":"x","orgId":"0123456789abcdef01234567"}',
    });
    assert.deepEqual([created.status, (await atlasFetch("/groups")).status], [200, 200]);
  });
  const log = stderr.split("\n").slice(1);
  assert.match(
    stderr,
    /^A fake Atlas is at http:\/\/127\.0\.0\.1:\d+ until Ctrl-C; what is printed here is for a shell to read\n/,
  );
  const path = "/api/atlas/v2/groups";
  assert.deepEqual(log, [`POST ${path} 401`, `POST ${path} 200`, `GET ${path} 200`, ""]);
  assert.equal(code, 0); // Ctrl-C is how it ends
});

test("atlas-fetch serve adds its host to NO_PROXY and no_proxy as they were", async () => {
  const cases: [env: Record<string, string>, upper: string, lower: string][] = [
    [{ NO_PROXY: "a,b" }, "a,b,127.0.0.1", "a,b,127.0.0.1"],
    [{ no_proxy: "c" }, "c,127.0.0.1", "c,127.0.0.1"],
    [{ NO_PROXY: "a", no_proxy: "c" }, "a,127.0.0.1", "c,127.0.0.1"],
    [{ NO_PROXY: "*" }, "*", "*"],
  ];
  for (const [env, upper, lower] of cases) {
    await serving(env, (printed) => {
      const { NO_PROXY, no_proxy } = exported(printed);
      assert.deepEqual([NO_PROXY, no_proxy], [upper, lower]);
    });
  }
});

test("atlas-fetch serve ends with 143 for SIGTERM, with connections open", async () => {
  const { code, stderr } = await serving({}, async (printed) => {
    const { port } = new URL(String(exported(printed).MONGODB_ATLAS_BASE_URL));
    const socket = connect(Number(port), "127.0.0.1").on("error", () => {});
    await new Promise((resolve) => socket.once("connect", resolve));
    socket.write("GET / HTTP/1.1\r\nHost: a\r\n");
  }, 143);
  assert.equal(code, 143);
  assert.match(stderr, /\nEnded\n$/);
});

test("atlas-fetch serve drops the connection of what it cannot answer, and goes on", async () => {
  const { code } = await serving({}, async (printed) => {
    const url = new URL(String(exported(printed).MONGODB_ATLAS_BASE_URL));
    const socket = connect(Number(url.port), "127.0.0.1");
    socket.write("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: 1\r\n\r\nx");
    const answer = await new Response(
      new ReadableStream({
        start(stream) {
          socket.on("data", (data) => stream.enqueue(data)).on("close", () => stream.close()).on("error", () => {});
        },
      }),
    ).text();
    assert.match(answer, /^$|^HTTP\/1\.1 401 /); // Bun takes it for a request
    assert.equal((await fetch(url)).status, 401);
  });
  assert.equal(code, 0);
});

test("atlas-fetch serve ends with 1 when nobody can read what it prints", async () => {
  const stdout = { ...memory(), write: () => Promise.reject(new Error("EPIPE: broken pipe")) };
  assert.deepEqual(await command(["serve"], { stdout }), { code: 1, stdout: "", stderr: "EPIPE: broken pipe\n" });
});

test("atlas-fetch serve --port fails with 1 for a port that is taken, and takes one that is free", async () => {
  const other = createServer();
  await new Promise<void>((resolve) => other.listen(0, "127.0.0.1", resolve));
  const address = other.address();
  assert.ok(address && typeof address === "object");
  const args = ["serve", "--port", String(address.port)];
  const { code, stdout, stderr } = await command(args);
  assert.deepEqual([code, stdout], [1, ""]);
  assert.match(stderr, /^Cannot serve: [^\n]*in use[^\n]*\. Try another --port, or none for a free one\n$/i);
  await new Promise((resolve) => other.close(resolve));
  const ended = AbortSignal.abort(Object.assign(new Error("Ended"), { exitCode: 130 }));
  const free = await command(args, { signal: ended });
  assert.deepEqual([free.code, exported(free.stdout).MONGODB_ATLAS_BASE_URL], [0, `http://127.0.0.1:${address.port}`]);
});

// Processes of their own ----------------------------------------------------------------------------------

const root = fileURLToPath(new URL("..", import.meta.url));
/** What makes this runtime run TypeScript; Bun needs nothing. */
const run = process.versions.deno ? ["run", "-A"] : process.versions.bun ? [] : ["--import", "tsx"];

/** Starts the command with these variables and none of the caller's, but for what the runtime needs. */
function start(args: readonly string[], variables: Record<string, string> = {}) {
  const needed = ["PATH", "HOME", "NODE_V8_COVERAGE", "DENO_DIR"].map((name) => [name, process.env[name]]);
  const env = { ...Object.fromEntries(needed.filter(([, value]) => value !== undefined)), ...variables };
  const child = spawn(process.execPath, [...run, "lib/cli.ts", ...args], { cwd: root, env });
  const printed = { stdout: "", stderr: "" };
  child.stdout.on("data", (data) => printed.stdout += data);
  child.stderr.on("data", (data) => printed.stderr += data);
  const signals: Record<string, number> = constants.signals; // as which Deno gives the code that ours ends with
  const ended = once(child, "close").then(([code, signal]) => ({
    code: code ?? 128 + Number(signals[signal]),
    ...printed,
  }));
  return { child, ended };
}

test("atlas-fetch asks its fake without credentials, with a body from standard input", async () => {
  const { child, ended } = start(["--fake", "/groups", "-d", "@-", "-q", "name"]);
  child.stdin.end('{"name":"piped","orgId":"0123456789abcdef01234567"}');
  assert.deepEqual(await ended, { code: 0, stdout: "piped\n", stderr: "" });
});

test("atlas-fetch ends quietly when its reader has seen enough, and does not read what stays open", async () => {
  const { child, ended } = start(["--fake", "/groups?itemsPerPage=500"]);
  child.stdout.destroy(); // its standard input is not closed
  assert.deepEqual(await ended, { code: 0, stdout: "", stderr: "" });
});

test("atlas-fetch leaves nothing beside a file when it is ended by SIGTERM in a download", async (t) => {
  if (process.platform === "win32") return t.skip("Windows has no signals");
  const folder = await mkdtemp(join(tmpdir(), "atlas-fetch-process-"));
  const server = createHttpServer((_request, response) => void response.writeHead(200).write("x".repeat(100_000)));
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  try {
    const address = server.address();
    assert.ok(address && typeof address === "object");
    const { child, ended } = start(["/x", "-o", join(folder, "log")], {
      ATLAS_USER: "abcdefgh",
      ATLAS_USER_KEY: "s3cr3t",
      MONGODB_ATLAS_BASE_URL: `http://127.0.0.1:${address.port}`,
    });
    while ((await readdir(folder)).length === 0) await new Promise((resolve) => setTimeout(resolve, 10));
    child.kill("SIGTERM");
    assert.deepEqual(await ended, { code: 143, stdout: "", stderr: "Ended by SIGTERM\n" });
    assert.deepEqual(await readdir(folder), []);
  } finally {
    server.close();
    server.closeAllConnections();
    await rm(folder, { recursive: true });
  }
});

// The command on every path on which it can fail, with marked secrets: what it prints, and what it keeps on disk.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readdir, readFile, rm, stat } from "node:fs/promises";
import type { Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import { assertShowsNone } from "../secrets.ts";
import { http, withWireServer } from "../wire_server.ts";

const PRIVATE_KEY = "5ecret-private-key";
const CLIENT_SECRET = "mdb_sa_sk_5ecret-client-secret";
const TOKEN = "5ecret-access-token-of-some-length";
const CLIENT_ID = "mdb_sa_id_5ec4";
const BASIC = Buffer.from(`${CLIENT_ID}:${CLIENT_SECRET}`).toString("base64");
const SECRETS = [PRIVATE_KEY, CLIENT_SECRET, TOKEN, BASIC, 'response="'];

const ENVIRONMENTS: Record<string, Record<string, string>> = {
  "an API key": { MONGODB_ATLAS_PUBLIC_API_KEY: "publickk", MONGODB_ATLAS_PRIVATE_API_KEY: PRIVATE_KEY },
  "a service account": { MONGODB_ATLAS_CLIENT_ID: CLIENT_ID, MONGODB_ATLAS_CLIENT_SECRET: CLIENT_SECRET },
  "an access token": { MONGODB_ATLAS_ACCESS_TOKEN: TOKEN },
};

type Answer = (socket: Socket, request: string) => unknown;

const authorizationOf = (request: string) => /\r\nauthorization: (.*)\r\n/i.exec(request)?.[1] ?? "";
const echo = (request: string) => JSON.stringify({ errorCode: "X", detail: `Refused: ${authorizationOf(request)}` });

/** What the server does with a request that is signed. */
const SERVERS: Record<string, Answer> = {
  "repeats the request in an error": (socket, request) => socket.write(http(403, [], echo(request))),
  "repeats the request on a page": (socket, request) => socket.write(http(502, [], `<title>${request}</title>`)),
  "repeats the request in place of an answer": (socket, request) => socket.end(request),
  "repeats the request in the body of a list": (socket, request) =>
    socket.end(`HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n[${request}`),
  "refuses for ever": (socket) => socket.write(http(401, [], "no")),
  "redirects in a circle": (socket) => socket.write(http(302, ["Location: /api/atlas/v2/groups"])),
  "loses the connection": (socket) => socket.resetAndDestroy(),
};

const COMMANDS: string[][] = [["-v", "--paginate", "/groups"], ["-v", "-d", "{}", "/groups"]];

let folder = "";
let command = "";

before(async () => {
  folder = await mkdtemp(join(tmpdir(), "atlas-fetch-command-"));
  command = join(folder, "command.mjs");
  const entry = fileURLToPath(new URL("../../../lib/cli.ts", import.meta.url));
  await build({
    entryPoints: [entry],
    bundle: true,
    platform: "node",
    format: "esm",
    outfile: command,
    logLevel: "error",
  });
});
after(() => rm(folder, { recursive: true }));

async function run(
  args: readonly string[],
  env: Readonly<Record<string, string>>,
): Promise<{ code: unknown; output: string }> {
  const child = spawn(process.execPath, [command, ...args], {
    env: { PATH: process.env.PATH, HOME: folder, XDG_CACHE_HOME: join(folder, "cache"), ...env },
    stdio: ["ignore", "pipe", "pipe"],
    timeout: 60_000,
  });
  const [stdout, stderr, [code]] = await Promise.all([text(child.stdout), text(child.stderr), once(child, "exit")]);
  return { code, output: stdout + stderr };
}

async function filesOf(place: string): Promise<string[]> {
  const entries = await readdir(place, { recursive: true, withFileTypes: true }).catch(() => []);
  return entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
}

/** Runs each command against a server that lets any signature and any token pass, and then does its worst. */
async function tryAll(env: Readonly<Record<string, string>>, answer: Answer): Promise<void> {
  await withWireServer((socket, request) => {
    if (request.startsWith("POST /api/oauth/token ")) {
      socket.write(http(200, [], JSON.stringify({ access_token: TOKEN, expires_in: 3600 })));
    } else if (authorizationOf(request)) answer(socket, request);
    else socket.write(http(401, ['WWW-Authenticate: Digest realm="r", nonce="n", qop="auth"']));
  }, async ({ url }) => {
    await Promise.all(COMMANDS.map(async (args) => {
      const { code, output } = await run(args, { ...env, MONGODB_ATLAS_BASE_URL: url });
      const what = `${args.join(" ")} with ${Object.keys(env)[0]}`;
      assert.ok(code !== 0 && code !== null, `${what}: ${code}, ${output}`);
      assertShowsNone(output, SECRETS, what);
    }));
  });
}

for (const [what, answer] of Object.entries(SERVERS)) {
  test(`The command shows no secret when a server ${what}`, async () => {
    await Promise.all(Object.values(ENVIRONMENTS).map((env) => tryAll(env, answer)));
  });
}

test("The command shows no secret of a mistake on its command line", async () => {
  const mistakes = [
    ["-H", `Authorization: Bearer ${TOKEN}`, "/groups"],
    ["-H", `X-Key: ${PRIVATE_KEY}☃`, "/groups"],
    ["-u", `publickk:${PRIVATE_KEY}`, "/groups"],
    [`--user=publickk:${PRIVATE_KEY}`, "/groups"],
    [`https://publickk:${PRIVATE_KEY}@cloud.mongodb.com/api/atlas/v2/groups`],
    [`https://publickk:${PRIVATE_KEY}@evil.example/`],
    [`--private-key=${PRIVATE_KEY}`, "/groups"],
    ["--token", TOKEN, "/groups"],
  ];
  const results = await Promise.all(mistakes.map((args) => run(args, ENVIRONMENTS["an API key"] ?? {})));
  for (const [index, { code, output }] of results.entries()) {
    const args = mistakes[index]?.[0] ?? "";
    assert.equal(code, 2, `${args}: ${output}`);
    assertShowsNone(output, SECRETS, args);
  }
});

test("The command shows no secret with --curl", async () => {
  for (const env of Object.values(ENVIRONMENTS)) {
    const { code, output } = await run(["--curl", "/groups"], env);
    assert.equal(code, 0, output);
    assertShowsNone(output, [PRIVATE_KEY, CLIENT_SECRET, TOKEN, BASIC], "--curl");
  }
});

test("The command keeps a token in a file that nobody else can read, and the secret nowhere", () =>
  withWireServer((socket, request) => {
    const isMint = request.startsWith("POST /api/oauth/token ");
    socket.write(http(200, [], isMint ? JSON.stringify({ access_token: TOKEN, expires_in: 3600 }) : "[]"));
  }, async ({ url, requests }) => {
    const place = join(folder, "cache");
    await rm(place, { recursive: true, force: true });
    const env = { ...ENVIRONMENTS["a service account"], MONGODB_ATLAS_BASE_URL: url };
    assert.equal((await run(["--no-cache", "/groups"], env)).code, 0);
    assert.deepEqual(await filesOf(place), []);
    for (const _ of [1, 2, 3]) assert.equal((await run(["/groups"], env)).code, 0);
    assert.equal(requests.filter((request) => request.startsWith("POST ")).length, 2);
    const files = await filesOf(place);
    assert.equal(files.length, 1);
    for (const file of files) {
      assertShowsNone(`${file}\n${await readFile(file, "utf8")}`, [CLIENT_SECRET, BASIC], file);
      assert.equal((await stat(file)).mode & 0o777, 0o600);
      assert.equal((await stat(join(file, ".."))).mode & 0o777, 0o700);
    }
  }));

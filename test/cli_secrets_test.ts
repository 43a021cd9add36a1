import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { chmod, mkdir, readdir, readFile, rm, stat, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { inspect } from "node:util";
import { createFakeAtlas } from "../lib/testing.ts";
import { command, inFolder, type Machine, refusal, server } from "./command.ts";

/** Each secret holds the mark, and nothing else does. */
const MARK = "m4rked";
const identities = {
  key: { MONGODB_ATLAS_PUBLIC_API_KEY: "abcdefgh", MONGODB_ATLAS_PRIVATE_API_KEY: `${MARK}-private` },
  account: { MONGODB_ATLAS_CLIENT_ID: "mdb_sa_id_1", MONGODB_ATLAS_CLIENT_SECRET: `mdb_sa_sk_${MARK}` },
  token: { MONGODB_ATLAS_ACCESS_TOKEN: `${MARK}-token-of-a-usual-length` },
  "half a pair": { MONGODB_ATLAS_PRIVATE_API_KEY: `${MARK}-private` },
  "a wrong pair": { ATLAS_USER: `mdb_sa_id_${MARK}`, ATLAS_USER_KEY: `${MARK}\n` },
};
const calls = [
  ["/x"],
  ["/x", "-v"],
  ["/x", "-v", "-i"],
  ["/x", "-v", "--paginate"],
  ["/x", "-v", "--wait", "a=b", "--timeout", "0.02s"],
  ["/x", "-v", "-d", "{}"],
  ["/x", "-v", "-q", "a"],
  ["/x", "--curl"],
  ["/x", "--fake", "-v", "-i"],
  ["/x", "--no-cache", "-v"],
];
const mistakes = [
  [`https://ada:${MARK}@cloud.mongodb.com/x`],
  [`https://ada:${MARK}@evil.example/x`, "--curl"],
  ["/x", "-H", `Authorization: Bearer ${MARK}`],
  ["/x", "-H", `${MARK}`],
  ["/x", "-H", `x: ${MARK}\u{1f511}`],
  ["/x", `--user=ada:${MARK}`],
  ["/x", "-u", `ada:${MARK}`],
  ["/x", `--private-key=${MARK}`],
  ["/x", "--timeout", MARK],
  ["/x", "--api-version", MARK],
  ["/x", "--format", MARK],
  ["/x", "--wait", `${MARK} x`],
  ["/x", "-d", MARK],
  ["/x", MARK],
  ["serve", "--port", MARK],
];
/** What comes back: nothing, refusals, and servers that quote what they were sent. */
const answers: ((headers: Headers) => Response | Promise<Response>)[] = [
  () => Response.json({ results: [{ a: 1 }] }),
  () => new Response(null, { status: 401, headers: { "www-authenticate": 'Digest realm="x", nonce="n", qop="auth"' } }),
  (headers) => refusal(403, "FORBIDDEN", `You sent ${headers.get("authorization")}`),
  (headers) => refusal(400, "INVALID", JSON.stringify([...headers])),
  (headers) => {
    // As Node's parser has it of a peer that echoes the request.
    const cause = Object.assign(new Error("Expected HTTP/"), { code: "HPE_INVALID_CONSTANT", data: [...headers] });
    return Promise.reject(new TypeError("fetch failed", { cause }));
  },
];

test("atlas-fetch shows no key, secret or token, whatever goes wrong", () =>
  inFolder(async (home) => {
    let count = 0;
    for (const [identity, variables] of Object.entries(identities)) {
      for (const args of [...calls, ...mistakes]) {
        for (const answer of calls.includes(args) ? answers : answers.slice(0, 1)) {
          const fetch = server(({ url, headers }) => {
            if (url.pathname !== "/api/oauth/token") return answer(headers);
            return Response.json({ access_token: `${MARK}-minted-of-a-usual-length`, expires_in: 3600 });
          });
          const env = { ...variables, XDG_CACHE_HOME: home, HTTPS_PROXY: `http://ada:${MARK}@proxy.example` };
          const useProxy = args.includes("-q") ? () => assert.fail(`Invalid URL: ${env.HTTPS_PROXY}`) : undefined;
          const outcome = await command(args, { fetch, env, useProxy });
          // With --include the answer goes to stdout as the server sent it, whatever that quotes.
          const shown = args.includes("-i") ? outcome.stderr : inspect(outcome);
          assert.ok(!shown.includes(MARK), `${identity}, ${args}, ${answer}: ${inspect(outcome)}`);
          assert.notEqual(outcome.stdout + outcome.stderr, "");
          count++;
        }
      }
    }
    assert.equal(count, Object.keys(identities).length * (calls.length * answers.length + mistakes.length));
    const names = await readdir(home, { recursive: true });
    assert.ok(names.length > 1);
    for (const name of names) assert.ok(!name.includes(MARK), name);
    for (const name of await readdir(join(home, "atlas-fetch"))) {
      assert.ok(!(await readFile(join(home, "atlas-fetch", name), "utf8")).includes("mdb_sa_sk_"));
    }
  }));

// The tokens that are kept --------------------------------------------------------------------------------

const account = { clientId: "mdb_sa_id_0123456789abcdef01234567", clientSecret: "mdb_sa_sk_s3cr3t" };
const variables = { MONGODB_ATLAS_CLIENT_ID: account.clientId, MONGODB_ATLAS_CLIENT_SECRET: account.clientSecret };

/** A machine with a fake Atlas for the account, and how many tokens that has minted. */
function machine(home: string, env: Record<string, string | undefined>): Machine & { mints(): number } {
  const fetch = createFakeAtlas({ serviceAccount: account });
  const mints = () => fetch.requests.filter(({ url }) => url.endsWith("/api/oauth/token")).length;
  return { env: { ...variables, HOME: home, ...env }, fetch, mints };
}

async function files(folder: string): Promise<string[]> {
  return (await readdir(folder, { recursive: true, withFileTypes: true }).catch(() => []))
    .filter((entry) => !entry.isDirectory()).map(({ parentPath, name }) => join(parentPath, name));
}

test("atlas-fetch mints one token for a loop of 60 commands", () =>
  inFolder(async (home) => {
    const here = machine(home, {});
    for (let count = 0; count < 60; count++) {
      const outcome = await command(["/groups", "-q", "totalCount"], here);
      assert.deepEqual(outcome, { code: 0, stdout: "3\n", stderr: "" });
    }
    assert.equal(here.mints(), 1);
  }));

test("atlas-fetch --no-cache keeps nothing on disk, and reads nothing", () =>
  inFolder(async (home) => {
    const here = machine(home, {});
    await command(["/groups"], here);
    const before = await files(home);
    for (const _ of "ab") assert.equal((await command(["/groups", "--no-cache"], here)).code, 0);
    assert.deepEqual([here.mints(), await files(home)], [3, before]);
  }));

test("atlas-fetch keeps a token where the platform has its caches, readable by the user only", () =>
  inFolder(async (home) => {
    const xdg = join(home, "xdg");
    const places: [platform: string, env: Record<string, string | undefined>, folder: string | undefined][] = [
      ["linux", {}, join(home, ".cache")],
      ["linux", { XDG_CACHE_HOME: "relative" }, join(home, ".cache")],
      ["linux", { XDG_CACHE_HOME: xdg, HOME: undefined }, xdg],
      ["darwin", {}, join(home, "Library/Caches")],
      ["darwin", { XDG_CACHE_HOME: xdg }, xdg],
      ["win32", { LOCALAPPDATA: join(home, "Local") }, join(home, "Local")],
      ["win32", { XDG_CACHE_HOME: xdg }, undefined],
      ["linux", { HOME: undefined }, undefined],
      ["linux", { HOME: "relative" }, undefined],
    ];
    for (const [platform, env, folder] of places) {
      const here = { ...machine(home, env), platform, ...(platform === "win32" && { getuid: undefined }) };
      for (const _ of "ab") assert.equal((await command(["/groups"], here)).code, 0);
      const kept = await files(home);
      assert.deepEqual([here.mints(), kept.length], folder ? [1, 1] : [2, 0], `${platform} ${JSON.stringify(env)}`);
      if (!folder) continue;
      assert.match(String(kept[0]), /\/atlas-fetch\/[\da-f]{64}$/);
      assert.ok(kept[0]?.startsWith(folder), kept[0]);
      assert.equal((await stat(join(folder, "atlas-fetch"))).mode & 0o777, 0o700);
      assert.equal((await stat(String(kept[0]))).mode & 0o777, 0o600);
      await rm(folder, { recursive: true });
    }
  }));

test("atlas-fetch has a token of its own for each host, client id and secret, and no secret in a name", () =>
  inFolder(async (home) => {
    const here = machine(home, {});
    await command(["/groups"], here);
    const others = [
      { MONGODB_ATLAS_CLIENT_SECRET: "mdb_sa_sk_rotated" },
      { MONGODB_ATLAS_CLIENT_ID: "mdb_sa_id_1" },
      { MONGODB_ATLAS_BASE_URL: "https://cloud.mongodbgov.com" },
    ];
    for (const env of others) await command(["/groups"], { ...here, env: { ...here.env, ...env } });
    assert.equal(here.mints(), 4);
    for (const file of await files(home)) {
      assert.doesNotMatch(file, /mdb_sa|s3cr3t/);
      assert.doesNotMatch(await readFile(file, "utf8"), /mdb_sa|s3cr3t/);
    }
  }));

test("atlas-fetch ignores a file that others can read or write, another's, a link or a pipe, and replaces it", () =>
  inFolder(async (home) => {
    const here = machine(home, {});
    await command(["/groups"], here);
    const [file = ""] = await files(home);
    const copy = join(home, "copy");
    const changes: (() => unknown)[] = [
      () => chmod(file, 0o640),
      () => chmod(file, 0o606),
      async () => {
        await writeFile(copy, await readFile(file), { mode: 0o600 });
        await rm(file);
        await symlink(copy, file);
      },
      async () => {
        await rm(file);
        execFileSync("mkfifo", ["-m", "600", file]);
      },
      () => writeFile(file, "rubbish"),
      () => writeFile(file, ""),
    ];
    for (const [count, change] of changes.entries()) {
      await change();
      for (const _ of "ab") assert.equal((await command(["/groups"], here)).code, 0);
      assert.equal(here.mints(), count + 2, String(change));
      const { mode } = await stat(file);
      assert.equal(mode & 0o777, 0o600);
    }
    assert.equal(here.mints(), changes.length + 1);
    // Whoever asks next is not the one who wrote it.
    await command(["/groups"], { ...here, getuid: () => 12345 });
    assert.equal(here.mints(), changes.length + 2);
  }));

test("atlas-fetch mints where nothing can be kept, and says nothing of it", () =>
  inFolder(async (home) => {
    await writeFile(join(home, "file"), "");
    await mkdir(join(home, "blocked", "atlas-fetch"), { recursive: true });
    const cases: [env: Record<string, string>, machine: Partial<Machine>][] = [
      [{ XDG_CACHE_HOME: join(home, "file") }, {}],
      [{ XDG_CACHE_HOME: "/dev/null/none" }, {}],
      [{}, { mayKeep: false }],
    ];
    for (const [env, difference] of cases) {
      const here = { ...machine(home, env), ...difference };
      for (const _ of "ab") {
        assert.deepEqual(await command(["/groups", "-q", "totalCount"], here), { code: 0, stdout: "3\n", stderr: "" });
      }
      assert.equal(here.mints(), 2);
    }
  }));

test("atlas-fetch leaves no file beside where a folder stands in the way of a token", () =>
  inFolder(async (home) => {
    const here = machine(home, {});
    await command(["/groups"], here);
    const [file = ""] = await files(home);
    await rm(file);
    await mkdir(file);
    await writeFile(join(file, "in the way"), "");
    assert.equal((await command(["/groups"], here)).code, 0);
    assert.deepEqual(await readdir(join(home, ".cache/atlas-fetch")), [file.slice(-64)]);
  }));

test("atlas-fetch renews a token that the server has forgotten", () =>
  inFolder(async (home) => {
    const here = machine(home, {});
    await command(["/groups"], here);
    const later = machine(home, {});
    for (const _ of "ab") assert.equal((await command(["/groups"], later)).code, 0);
    assert.deepEqual([here.mints(), later.mints()], [1, 1]);
  }));

test("atlas-fetch fails with 4 and one line when no token is given", () =>
  inFolder(async (home) => {
    const here = machine(home, { MONGODB_ATLAS_CLIENT_SECRET: "mdb_sa_sk_wr0ng" });
    const { code, stdout, stderr } = await command(["/groups"], here);
    assert.deepEqual([code, stdout], [4, ""]);
    assert.match(stderr, /^401 invalid_client at \/api\/oauth\/token: [^\n]+\n$/);
    assert.doesNotMatch(stderr, /wr0ng/);
    const answer = { error: "access_denied", error_description: "Access Token limit reached" };
    const busy = await command(["/groups"], { ...here, fetch: server(() => Response.json(answer, { status: 403 })) });
    assert.match(busy.stderr, /^403 access_denied at .*share one in MONGODB_ATLAS_ACCESS_TOKEN\n$/);
  }));

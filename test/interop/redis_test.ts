/** Processes that share an access token by Debian's Redis and its own client, before a fake Atlas. */

import test, { after } from "node:test";
import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { serveFakeAtlas } from "../../lib/testing.ts";
import { listen } from "./front.ts";
import { path, whereInstalled } from "./programs.ts";

const PROCESSES = 8;
const patient = { timeout: 120_000 }; // Bun gives a test 5 s
const serviceAccount = { clientId: "mdb_sa_id_0123456789abcdef01234567", clientSecret: "mdb_sa_sk_under_score" };

/** What the runtime that runs this needs to run TypeScript: Node 20 has none of its own. */
const runtime = "Deno" in globalThis
  ? ["run", "-A", "--no-check"]
  : "typescript" in process.features
  ? []
  : ["--import", "tsx"];

interface Redis {
  url: string;
  /** Ends it at once, as a crash would. */
  kill(): Promise<void>;
}

async function startRedis(): Promise<Redis> {
  const server = createServer();
  const port = await listen(server);
  server.close();
  await once(server, "close");

  const args = ["--port", `${port}`, "--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--dir", tmpdir()];
  const child = spawn("redis-server", args, { env: { PATH: path }, stdio: ["ignore", "pipe", "inherit"] });
  const exit = once(child, "exit");
  await said(child, /Ready to accept connections/);
  return {
    url: `redis://127.0.0.1:${port}`,
    async kill() {
      child.kill("SIGKILL");
      await exit;
    },
  };
}

/** Resolves when a process prints what is waited for, to just that; rejects if it ends before. */
function said(child: ChildProcess, expected: RegExp): Promise<string> {
  return new Promise((resolve, reject) => {
    let text = "";
    const hear = (bytes: Uint8Array) => {
      text += bytes;
      const [match] = expected.exec(text) ?? [];
      if (match === undefined) return;
      child.stdout?.off("data", hear);
      resolve(match);
    };
    child.stdout?.on("data", hear);
    child.once("error", reject);
    child.once("close", () => reject(new Error(`It ended, and said: ${text}`)));
  });
}

interface Worker {
  /** Has it connect to Redis, as a new user of the fake Atlas. */
  prepare(atlasUrl: string, redisUrl: string): Promise<string>;
  /** Has it make its calls, and tells how many succeeded. */
  go(): Promise<string>;
}

/** Processes of their own. They end with their standard input. */
function startWorkers(): Worker[] {
  const script = fileURLToPath(new URL("redis_worker.ts", import.meta.url));
  const env = {
    PATH: path,
    HOME: process.env.HOME,
    CLIENT_ID: serviceAccount.clientId,
    CLIENT_SECRET: serviceAccount.clientSecret,
  };
  return Array.from({ length: PROCESSES }, () => {
    const child = spawn(process.execPath, [...runtime, script], { env, stdio: ["pipe", "pipe", "inherit"] });
    child.setMaxListeners(20);
    after(() => void child.kill("SIGKILL"));
    const ask = (line: string, expected: RegExp) => {
      const answer = said(child, expected);
      child.stdin.write(`${line}\n`);
      return answer;
    };
    return {
      prepare: (atlasUrl, redisUrl) => ask(`${atlasUrl} ${redisUrl}`, /ready/),
      go: () => ask("go", /\d+ of 50/),
    };
  });
}

interface Scene {
  redis: Redis;
  atlas: Awaited<ReturnType<typeof serveFakeAtlas>>;
  /** How often a path of the fake Atlas was asked for. */
  count(path: string): number;
  /** Resolves when it was asked for so often. */
  counted(path: string, count: number): Promise<void>;
}

/** Sets a new Atlas and a new Redis up for the workers, and takes both down whatever happens. */
async function play(workers: readonly Worker[], scene: (scene: Scene) => Promise<void>): Promise<void> {
  const atlas = await serveFakeAtlas({ serviceAccount });
  const redis = await startRedis();
  const count = (path: string) => atlas.requests.filter(({ url }) => new URL(url).pathname === path).length;
  async function counted(path: string, enough: number): Promise<void> {
    const deadline = Date.now() + 20_000;
    while (count(path) < enough) {
      assert.ok(Date.now() < deadline, `${count(path)} requests of ${path}`);
      await sleep(5);
    }
  }
  try {
    await Promise.all(workers.map((worker) => worker.prepare(atlas.url, redis.url)));
    await scene({ redis, atlas, count, counted });
  } finally {
    await redis.kill();
    await atlas.close();
  }
}

const TOKEN = "/api/oauth/token";
const GROUPS = "/api/atlas/v2/groups";
const ALL_SUCCEEDED = Array(PROCESSES).fill("50 of 50");

await whereInstalled("createTokenSource() shares tokens by Redis", ["redis-server"], () => {
  const workers = startWorkers();
  const [first, ...others] = workers;
  assert.ok(first !== undefined);

  test(
    "createTokenSource() mints once for 8 processes on one Redis, the first warm",
    patient,
    () =>
      play(workers, async ({ count, counted }) => {
        const results = [first.go()];
        await counted(GROUPS, 1);
        results.push(...others.map((worker) => worker.go()));
        assert.deepEqual(await Promise.all(results), ALL_SUCCEEDED);
        assert.equal(count(TOKEN), 1);
        assert.equal(count(GROUPS), 400);
      }),
  );

  test(
    "createTokenSource() mints at most 8 times for 8 processes on one Redis, all cold",
    patient,
    () =>
      play(workers, async ({ count }) => {
        assert.deepEqual(await Promise.all(workers.map((worker) => worker.go())), ALL_SUCCEEDED);
        assert.ok(count(TOKEN) >= 1 && count(TOKEN) <= 8, `${count(TOKEN)}`);
        assert.equal(count(GROUPS), 400);
      }),
  );

  test(
    "createTokenSource() loses no call when Redis dies and the token is revoked",
    patient,
    () =>
      play(workers, async ({ redis, atlas, count, counted }) => {
        const results = [first.go()];
        await counted(GROUPS, 1);
        const half = PROCESSES / 2;
        results.push(...others.slice(0, half - 1).map((worker) => worker.go()));
        await counted(GROUPS, 40);
        assert.equal(count(TOKEN), 1);
        await redis.kill();
        await revokeToken(atlas);
        results.push(...others.slice(half - 1).map((worker) => worker.go()));
        assert.deepEqual(await Promise.all(results), ALL_SUCCEEDED);
        // Each process that went on had to mint for itself.
        assert.ok(count(TOKEN) > half && count(TOKEN) <= 1 + PROCESSES, `${count(TOKEN)}`);
      }),
  );
});

/** Revokes the token that the last call was made with. */
async function revokeToken({ url, requests }: Scene["atlas"]): Promise<void> {
  const { clientId, clientSecret } = serviceAccount;
  const token = requests.at(-1)?.headers.get("authorization")?.replace("Bearer ", "") ?? "";
  const response = await fetch(`${url}/api/oauth/revoke`, {
    method: "POST",
    headers: { authorization: `Basic ${btoa(`${clientId}:${clientSecret}`)}` },
    body: new URLSearchParams({ token, token_type_hint: "access_token" }),
  });
  assert.equal(response.status, 200);
}

import assert from "node:assert/strict";
import { connect, createServer } from "node:net";
import { test } from "node:test";
import { createAtlasFetch } from "../mod.ts";
import { command, memory } from "./command.ts";

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

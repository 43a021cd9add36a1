// What only a process of its own can show: signals, pipes, and that nothing is read or left behind.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readdir, rm } from "node:fs/promises";
import { createServer } from "node:http";
import { constants, tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";

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
  const server = createServer((_request, response) => void response.writeHead(200).write("x".repeat(100_000)));
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

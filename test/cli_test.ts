import assert from "node:assert/strict";
import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { createServer, type RequestListener } from "node:http";
import type { AddressInfo } from "node:net";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { serveFakeAtlas } from "../lib/testing.ts";

const ROOT = fileURLToPath(new URL("..", import.meta.url));
/** What makes this runtime run TypeScript; Bun needs nothing. */
const RUN = process.versions.deno ? ["run", "-A"] : process.versions.bun ? [] : ["--import", "tsx"];

interface Outcome {
  code: number;
  stdout: string;
  stderr: string;
}

/** These environment variables and none of the caller's, but for what the runtime needs. */
function envOf(variables: Record<string, string>): Record<string, string> {
  const kept = ["PATH", "HOME", "NODE_V8_COVERAGE", "DENO_DIR"].map((name) => [name, process.env[name]]);
  return { ...Object.fromEntries(kept.filter(([, value]) => value !== undefined)), NO_COLOR: "1", ...variables };
}

/** Runs the command with the environment of `envOf`. */
function run(variables: Record<string, string>, ...args: string[]): Promise<Outcome> {
  const env = envOf(variables);
  return new Promise((resolve, reject) => {
    execFile(
      process.execPath,
      [...RUN, "lib/cli.ts", ...args],
      { cwd: ROOT, env, timeout: 60_000 },
      (error, stdout, stderr) => {
        const code = error === null ? 0 : error.code;
        if (typeof code === "number") resolve({ code, stdout, stderr });
        else reject(error);
      },
    );
  });
}

/** Asserts that it failed with one line on stderr and nothing else. */
function assertOneLine({ code, stdout, stderr }: Outcome, line: RegExp | string): void {
  assert.match(stderr, /^[^\r\n]+\n$/);
  if (typeof line === "string") assert.equal(stderr, `${line}\n`);
  else assert.match(stderr, line);
  assert.equal(stdout, "");
  assert.equal(code, 1);
}

async function serve(
  listener: RequestListener,
): Promise<{ variables: Record<string, string>; close(): Promise<void> }> {
  const server = createServer(listener);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  return {
    variables: { ATLAS_USER: "abcdefgh", ATLAS_USER_KEY: "s3cr3t", MONGODB_ATLAS_BASE_URL: `http://127.0.0.1:${port}` },
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

test("atlas-fetch without credentials asks the embedded fake Atlas, and says so on stderr", async () => {
  const { code, stdout, stderr } = await run({ MONGODB_ATLAS_CLIENT_ID: "", ATLAS_USER: "" });
  assert.equal(code, 0, stderr);
  assert.match(
    stderr,
    /^No credentials found: this is the embedded fake Atlas, at http:\/\/127\.0\.0\.1:\d+\. [^\n]+\n$/,
  );
  for (
    const name of [
      "MONGODB_ATLAS_CLIENT_ID",
      "MONGODB_ATLAS_CLIENT_SECRET",
      "MONGODB_ATLAS_PUBLIC_API_KEY",
      "MONGODB_ATLAS_PRIVATE_API_KEY",
      "MONGODB_ATLAS_PUBLIC_KEY",
      "MONGODB_ATLAS_PRIVATE_KEY",
      "ATLAS_USER",
      "ATLAS_USER_KEY",
    ]
  ) assert.match(stderr, new RegExp(`\\b${name}\\b`));
  const root: unknown = JSON.parse(stdout);
  assert.ok(typeof root === "object" && root !== null && "appName" in root && "build" in root);
  assert.equal(root.appName, "MongoDB Atlas");
  assert.ok(stdout.endsWith("}\n"));
});

test("atlas-fetch takes a path", async () => {
  const { code, stdout, stderr } = await run({}, "/groups?itemsPerPage=1");
  assert.equal(code, 0, stderr);
  assert.match(stdout, /"totalCount": 3/);
  assert.match(stdout, /"name": "project-1"/);
  assert.doesNotMatch(stdout, /"name": "project-2"/);
  const { stderr: refused, ...outcome } = await run({}, "/groups/0123456789abcdef01234567");
  assert.deepEqual(outcome, { code: 1, stdout: "" });
  assert.match(refused, /^No credentials [^\n]+\n404 GROUP_NOT_FOUND at \/api\/atlas\/v2\/groups\/0123[^\n]+\n$/);
});

test("atlas-fetch asks the Atlas of the environment", async () => {
  const atlas = await serveFakeAtlas();
  try {
    const { publicKey, privateKey } = atlas.credentials;
    for (
      const [id, secret] of [["ATLAS_USER", "ATLAS_USER_KEY"], [
        "MONGODB_ATLAS_PUBLIC_API_KEY",
        "MONGODB_ATLAS_PRIVATE_API_KEY",
      ]] as const
    ) {
      const variables = { [id]: publicKey, [secret]: privateKey, MONGODB_ATLAS_BASE_URL: atlas.url };
      const { code, stdout, stderr } = await run(variables);
      assert.deepEqual([code, stderr], [0, ""]);
      assert.match(stdout, /"appName": "MongoDB Atlas"/);
      // Its own key in the answer is the public half.
      assert.ok(!stdout.includes(privateKey));
    }
    assert.equal(atlas.requests.length, 4);
  } finally {
    await atlas.close();
  }
});

test("atlas-fetch with a wrong key prints one line that says what to do", async () => {
  const atlas = await serveFakeAtlas();
  try {
    const variables = { ATLAS_USER: "abcdefgh", ATLAS_USER_KEY: "s3cr3t", MONGODB_ATLAS_BASE_URL: atlas.url };
    const outcome = await run(variables);
    assertOneLine(
      outcome,
      "401 UNEXPECTED_ERROR at /api/atlas/v2/: You are not authorized for this resource. Check the public and the " +
        `private key and that they belong to ${new URL(atlas.url).host}: nobody was signed in`,
    );
  } finally {
    await atlas.close();
  }
});

test("atlas-fetch with half a pair names the other half, and asks nobody", async () => {
  assertOneLine(
    await run({ MONGODB_ATLAS_PRIVATE_API_KEY: "s3cr3t" }),
    "Cannot find Atlas credentials: MONGODB_ATLAS_PUBLIC_API_KEY is missing. " +
      "Give both MONGODB_ATLAS_PUBLIC_API_KEY and MONGODB_ATLAS_PRIVATE_API_KEY",
  );
});

test("atlas-fetch prints one line for a path that leads elsewhere", async () => {
  const { variables, close } = await serve((_request, response) => response.end("evil"));
  try {
    assertOneLine(await run(variables, "https://evil.example/"), /^Cannot send Atlas credentials to https:\/\/evil\.e/);
  } finally {
    await close();
  }
});

test("atlas-fetch prints one line for a host that cannot be reached, with the reason", async () => {
  const { variables, close } = await serve((_request, response) => response.end());
  await close();
  const refused = await run(variables);
  assertOneLine(refused, /ECONNREFUSED|refused|Unable to connect/i);
  assert.doesNotMatch(refused.stderr, /s3cr3t|\bat .*\.ts:\d+/);
  // Two addresses: the reason is a list of errors without a message.
  const url = new URL(String(variables.MONGODB_ATLAS_BASE_URL));
  const both = await run({ ...variables, MONGODB_ATLAS_BASE_URL: `http://localhost:${url.port}` });
  assertOneLine(both, /ECONNREFUSED|refused|Unable to connect/i);
});

test("atlas-fetch prints the same reason where a service account cannot reach its host", async () => {
  const { variables, close } = await serve((_request, response) => response.end());
  await close();
  const account = { MONGODB_ATLAS_CLIENT_ID: "mdb_sa_id_1", MONGODB_ATLAS_CLIENT_SECRET: "s3cr3t" };
  const { MONGODB_ATLAS_BASE_URL = "" } = variables;
  const refused = await run({ ...account, MONGODB_ATLAS_BASE_URL });
  assertOneLine(refused, /did not answer: .*(ECONNREFUSED|refused|Unable to connect)/i);
});

test("atlas-fetch says nothing when its reader has gone", async () => {
  const { variables, close } = await serve((_request, response) => response.end("x".repeat(1e6)));
  try {
    const command = spawn(process.execPath, [...RUN, "lib/cli.ts"], {
      cwd: ROOT,
      env: envOf(variables),
      stdio: ["ignore", "pipe", "pipe"],
    });
    command.stdout.destroy();
    let said = "";
    command.stderr.on("data", (chunk) => said += chunk);
    const [code] = await once(command, "close");
    assert.equal(said, "");
    assert.equal(code, 1);
  } finally {
    await close();
  }
});

test("atlas-fetch prints a body that is not JSON as it is", async () => {
  const { variables, close } = await serve((request, response) => {
    if (request.url?.endsWith("/text")) response.setHeader("Content-Type", "text/plain").end("täxt\n");
    else if (request.url?.endsWith("/nothing")) response.end();
    else response.setHeader("Content-Type", "application/json").end();
  });
  try {
    assert.deepEqual(await run(variables, "/text"), { code: 0, stdout: "täxt\n", stderr: "" });
    assert.deepEqual(await run(variables, "/nothing"), { code: 0, stdout: "", stderr: "" });
    assert.deepEqual(await run(variables, "/empty"), { code: 0, stdout: "", stderr: "" });
  } finally {
    await close();
  }
});

test("atlas-fetch prints one line for JSON that is none, and for an error that is a page", async () => {
  const { variables, close } = await serve((request, response) => {
    response.statusCode = request.url?.endsWith("/broken") ? 200 : 404;
    response.setHeader("Content-Type", "application/json").end("<html>\n<title>\nBad\ngateway</title>\n");
  });
  try {
    assertOneLine(await run(variables, "/broken"), /JSON/);
    assertOneLine(await run(variables, "/page"), /^404 Not Found at \/api\/atlas\/v2\/page: Bad gateway\n$/);
  } finally {
    await close();
  }
});

test("atlas-fetch indents JSON, but keeps numbers that JavaScript cannot hold", async () => {
  const { variables, close } = await serve((request, response) => {
    response.setHeader("Content-Type", "application/json");
    response.end(request.url?.endsWith("/large") ? '{"bytes":12345678901234567890}' : '{"a":[1]}');
  });
  try {
    assert.equal((await run(variables, "/small")).stdout, '{\n  "a": [\n    1\n  ]\n}\n');
    assert.equal((await run(variables, "/large")).stdout, '{"bytes":12345678901234567890}\n');
  } finally {
    await close();
  }
});

test("atlas-fetch says how it is used when it is given an option", async () => {
  assertOneLine(await run({}, "--help"), "Usage: atlas-fetch [path], such as atlas-fetch /groups");
});

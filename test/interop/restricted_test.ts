/** Where a runtime is allowed little, or OpenSSL refuses MD5. */

import test, { after } from "node:test";
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import { serveFakeAtlas } from "../../lib/testing.ts";
import { listen } from "./front.ts";
import { run, whereInstalled } from "./programs.ts";
import type { Order, Outcome } from "./restricted/call.ts";

const modules = fileURLToPath(new URL("node_modules", import.meta.url));
const deno = join(modules, "deno/deno");
const nodes = [20, 22, 24, 26].map((major) => {
  return { name: `Node ${major}`, program: join(modules, `node${major}/bin/node`) };
});
const node26 = join(modules, "node26/bin/node");
const source = fileURLToPath(new URL("restricted/call.ts", import.meta.url));
const provider = fileURLToPath(new URL("restricted/strict_provider.c", import.meta.url));
const serviceAccount = { clientId: "mdb_sa_id_0123456789abcdef01234567", clientSecret: "mdb_sa_sk_under_score" };

const folder = await mkdtemp(join(tmpdir(), "atlas-fetch-restricted-"));
const bundle = join(folder, "call.mjs");
await build({ entryPoints: [source], bundle: true, format: "esm", platform: "node", outfile: bundle });
const library = join(folder, "strict_provider.so");
const config = join(folder, "openssl.cnf");
await writeFile(
  config,
  `nodejs_conf = node
[node]
providers = providers
alg_section = algorithms
[providers]
default = default_provider
strict = strict_provider
[default_provider]
activate = 1
[strict_provider]
module = ${library}
activate = 1
[algorithms]
default_properties = fips=yes
`,
);
// Where there is no compiler, the tests that need it say so.
await run("gcc", ["-shared", "-fPIC", "-o", library, provider]).catch(() => {});
const atlas = await serveFakeAtlas({ serviceAccount });
const { url: baseUrl, credentials } = atlas;
const byKey: Order = { atlas: { baseUrl, credentials, retry: false }, url: "/groups" };
const byAccount: Order = { atlas: { baseUrl, credentials: serviceAccount, retry: false }, url: "/groups" };
after(async () => {
  await atlas.close();
  await rm(folder, { recursive: true, force: true });
});

async function carryOut(
  order: Order,
  program: string,
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Promise<Outcome> {
  return JSON.parse(await run(program, [...args, JSON.stringify(order)], env));
}

// Deno ------------------------------------------------------------------------------------------

await whereInstalled("atlasFetch() needs few of Deno's permissions", [deno], () => {
  const args = (...permissions: string[]) => ["run", "--quiet", "--no-prompt", "--no-check", ...permissions, source];

  for (const [name, order] of [["an API key", byKey], ["a service account", byAccount]] as const) {
    test(`createAtlasFetch() needs only --allow-net of one host on Deno with ${name}`, async () => {
      assert.deepEqual(await carryOut(order, deno, args("--allow-net=127.0.0.1")), { status: 200 });
    });
  }

  test("atlasFetch() lets Deno's own error through where the environment may not be read", async () => {
    const { error } = await carryOut({ atlas: {}, url: "/groups" }, deno, args("--allow-net=127.0.0.1"));
    assert.match(error ?? "", /^NotCapable: Requires env access to "MONGODB_ATLAS_ACCESS_TOKEN"/);
  });

  test("atlasFetch() reads only the variables that it documents on Deno", async () => {
    const names = [
      ...["MONGODB_ATLAS_ACCESS_TOKEN", "MONGODB_ATLAS_CLIENT_ID", "MONGODB_ATLAS_CLIENT_SECRET"],
      ...["MONGODB_ATLAS_PUBLIC_API_KEY", "MONGODB_ATLAS_PRIVATE_API_KEY"],
      ...["MONGODB_ATLAS_PUBLIC_KEY", "MONGODB_ATLAS_PRIVATE_KEY"],
      ...["ATLAS_USER", "ATLAS_USER_KEY", "MONGODB_ATLAS_BASE_URL"],
    ];
    const permissions = args("--allow-net=127.0.0.1", `--allow-env=${names.join(",")}`);
    const outcome = await carryOut({ atlas: {}, url: "/groups" }, deno, permissions, {
      ATLAS_USER: credentials.publicKey,
      ATLAS_USER_KEY: credentials.privateKey,
      MONGODB_ATLAS_BASE_URL: baseUrl,
    });
    assert.deepEqual(outcome, { status: 200 });
  });
});

// Node ------------------------------------------------------------------------------------------

await whereInstalled("createAtlasFetch() needs few of Node 26's permissions", [node26], () => {
  for (const [name, order] of [["an API key", byKey], ["a service account", byAccount]] as const) {
    test(`createAtlasFetch() needs only --allow-net of Node 26's permissions with ${name}`, async () => {
      assert.deepEqual(await carryOut(order, node26, ["--permission", "--allow-net", bundle]), { status: 200 });
    });
  }

  test("createAtlasFetch() lets Node's own refusal through as cause where --allow-net is missing", async () => {
    const { error, code } = await carryOut(byKey, node26, ["--permission", bundle]);
    assert.match(error ?? "", /^TypeError/);
    assert.equal(code, "ERR_ACCESS_DENIED");
  });
});

for (const { name, program } of nodes) {
  for (const option of ["--disallow-code-generation-from-strings", "--frozen-intrinsics"]) {
    const title = `createAtlasFetch() calls Atlas under ${option} on ${name}`;
    await whereInstalled(title, [program], () => {
      test(title, async () => {
        for (const order of [byKey, byAccount]) {
          assert.deepEqual(await carryOut(order, program, [option, bundle]), { status: 200 });
        }
      });
    });
  }
}

// OpenSSL without MD5 ---------------------------------------------------------------------------

for (const { name, program } of nodes) {
  await whereInstalled(`createAtlasFetch() works where OpenSSL refuses MD5 on ${name}`, [program, "gcc"], () => {
    const args = [`--openssl-config=${config}`, bundle];

    test(`createAtlasFetch() says that the platform does not offer MD5 on ${name} with FIPS`, async () => {
      const { error, code } = await carryOut(byKey, program, args);
      assert.match(error ?? "", /^TypeError: Cannot use MD5: this platform does not offer it \(FIPS mode\?\)$/);
      assert.equal(code, "ERR_OSSL_EVP_UNSUPPORTED");
    });

    test(`createAtlasFetch() calls Atlas with a service account on ${name} with FIPS`, async () => {
      assert.deepEqual(await carryOut(byAccount, program, args), { status: 200 });
    });

    test(`createDigestFetch() answers a server that offers MD5 and SHA-256 on ${name} with FIPS`, async () => {
      const server = await serveSha256({ username: "ann", password: "open sesame" });
      try {
        const order: Order = { digest: { username: "ann", password: "open sesame" }, url: server.url };
        assert.deepEqual(await carryOut(order, program, args), { status: 200 });
      } finally {
        await server.close();
      }
    });
  });
}

/** Offers both, MD5 first, and takes only SHA-256. */
async function serveSha256({ username, password }: { username: string; password: string }) {
  const hash = (text: string) => createHash("sha256").update(text).digest("hex");
  const server = createServer(({ headers, method, url }, response) => {
    const { authorization = "" } = headers;
    const param = (name: string) => new RegExp(`\\b${name}="?([^",]*)`).exec(authorization)?.[1] ?? "";
    const ha1 = hash(`${username}:here:${password}`);
    const expected = hash(`${ha1}:once:${param("nc")}:${param("cnonce")}:auth:${hash(`${method}:${url}`)}`);
    const passed = param("algorithm") === "SHA-256" && param("nonce") === "once" && param("response") === expected;
    const challenges = ["MD5", "SHA-256"].map((algorithm) => {
      return `Digest realm="here", nonce="once", qop="auth", algorithm=${algorithm}`;
    });
    response.writeHead(passed ? 200 : 401, passed ? {} : { "WWW-Authenticate": challenges }).end();
  });
  const port = await listen(server);
  return {
    url: `http://127.0.0.1:${port}/path?query`,
    async close() {
      server.close();
      server.closeAllConnections();
      await once(server, "close");
    },
  };
}

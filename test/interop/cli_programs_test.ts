// The command with programs that others wrote: curl in two shells, Python, and proxies.
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { chmod, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { serveFakeAtlas } from "../../lib/testing.ts";
import { command, memory } from "../command.ts";
import { path, whereInstalled } from "./programs.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));
const modules = join(root, "test/interop/node_modules");
const account = { clientId: "mdb_sa_id_0123456789abcdef01234567", clientSecret: "mdb_sa_sk_secret" };

type Variables = Record<string, string>;

/** What a program prints, with these variables and no others. */
async function printed([program = "", ...args]: readonly string[], variables: Variables, cwd = root): Promise<Buffer> {
  const env = { PATH: path, HOME: tmpdir(), LANG: "C.UTF-8", DENO_NO_UPDATE_CHECK: "1", ...variables };
  return (await promisify(execFile)(program, args, { cwd, env, encoding: "buffer" })).stdout;
}

/** The variables of each kind of credentials. */
async function identities({ url, credentials }: Awaited<ReturnType<typeof serveFakeAtlas>>): Promise<Variables[]> {
  const { clientId, clientSecret } = account;
  const mint = await fetch(`${url}/api/oauth/token`, {
    method: "POST",
    headers: { authorization: `Basic ${btoa(`${clientId}:${clientSecret}`)}` },
    body: new URLSearchParams({ grant_type: "client_credentials" }),
  });
  const [, token = ""] = /"access_token":"([^"]+)"/.exec(await mint.text()) ?? [];
  return [
    { ATLAS_USER: credentials.publicKey, ATLAS_USER_KEY: credentials.privateKey },
    { MONGODB_ATLAS_CLIENT_ID: clientId, MONGODB_ATLAS_CLIENT_SECRET: clientSecret },
    { MONGODB_ATLAS_ACCESS_TOKEN: token },
  ].map((variables) => ({ ...variables, MONGODB_ATLAS_BASE_URL: url }));
}

for (const shell of ["bash", "dash"]) {
  await whereInstalled(`--curl in ${shell}`, ["curl", shell], () => {
    test(`What --curl prints gives in ${shell} the bytes that the command gives`, async () => {
      const atlas = await serveFakeAtlas({ serviceAccount: account });
      const folder = await mkdtemp(join(tmpdir(), "atlas-fetch-curl-"));
      const file = join(folder, "it's a body.json");
      const group = "/groups/65f1c0de0000000000000002";
      const calls: [args: string[], part: string][] = [
        [["/groups?itemsPerPage=1"], '"totalCount":'],
        [[`${group}/clusters/Cluster0/logs/mongodb.gz`], "\x1f"],
        [[`${group}/clusters/Cluster0`, "-X", "patch", "-d", '{"note":"it\'s \\u0041"}'], '"note":"it\'s A"'],
      ];
      try {
        for (const env of await identities(atlas)) {
          for (const [args, part] of calls) {
            const stdout = memory();
            await command(args, { env, fetch, stdout });
            const { stdout: curl } = await command([...args, "--curl"], { env });
            const output = await printed([shell, "-c", curl], env);
            assert.ok(output.includes(part), curl);
            assert.deepEqual(output, Buffer.from(stdout.bytes()));
            for (const secret of [atlas.credentials.privateKey, account.clientSecret, env.MONGODB_ATLAS_ACCESS_TOKEN]) {
              assert.ok(!secret || !curl.includes(secret));
            }
          }
          const { stdout: refused } = await command([`${group}/none`, "-i", "--curl"], { env });
          const refusal = await printed([shell, "-c", `${refused.trim()} 2>/dev/null || echo "failed with $?"`], env);
          assert.match(String(refusal), /^HTTP\/1\.1 .*"errorCode":"RESOURCE_NOT_FOUND".*failed with 22\n$/s);
          await writeFile(file, `{"name": "${Object.keys(env)[0]}", "orgId": "65f1c0de0000000000000000"}`);
          const post = ["/groups", "-d", `@${file}`, "-o", join(folder, "out"), "--curl"];
          assert.equal(String(await printed([shell, "-c", (await command(post, { env })).stdout], env)), "");
          assert.match(await readFile(join(folder, "out"), "utf8"), /"name":"(ATLAS|MONGODB)_\w+"/);
        }
      } finally {
        await atlas.close();
        await rm(folder, { recursive: true });
      }
    });
  });
}

/** A folder with the command in it, as a program of that name. */
async function installed(folder: string): Promise<string> {
  const program = join(folder, "atlas-fetch");
  const run = [process.execPath, "--import", "tsx", "lib/cli.ts"].join(" ");
  await writeFile(program, `#!/bin/sh\ncwd=$PWD; cd ${root} && exec ${run} "$@"\n`);
  await chmod(program, 0o755);
  return `${folder}:${path}`;
}

for (const shell of ["bash", "dash"]) {
  await whereInstalled(`serve with curl and Python in ${shell}`, ["curl", shell, "/usr/bin/python3"], () => {
    test(`atlas-fetch serve is an Atlas for curl and Python requests, by the lines that it prints, in ${shell}`, async () => {
      const folder = await mkdtemp(join(tmpdir(), "atlas-fetch-serve-"));
      const script = `
        set -eu
        atlas-fetch serve > env 2> log &
        until [ -s env ]; do sleep 0.1; done
        . ./env
        curl -sS --fail-with-body --digest --user "$MONGODB_ATLAS_PUBLIC_API_KEY:$MONGODB_ATLAS_PRIVATE_API_KEY" \\
          -H 'Accept: application/vnd.atlas.2025-03-12+json' "$MONGODB_ATLAS_BASE_URL/api/atlas/v2/groups?itemsPerPage=1"
        echo
        /usr/bin/python3 -c '
import os, requests
from requests.auth import HTTPDigestAuth
auth = HTTPDigestAuth(os.environ["MONGODB_ATLAS_PUBLIC_API_KEY"], os.environ["MONGODB_ATLAS_PRIVATE_API_KEY"])
url = os.environ["MONGODB_ATLAS_BASE_URL"] + "/api/atlas/v2/groups"
headers = {"Accept": "application/vnd.atlas.2025-03-12+json"}
project = {"name": "python", "orgId": "65f1c0de0000000000000000"}
print(requests.post(url, json=project, auth=auth, headers=headers).status_code)
print(requests.get(url, auth=auth, headers=headers).json()["totalCount"])
'
        atlas-fetch /groups -q 'results[].name'
        kill -INT $! && wait $! && echo "ended with $?"
        cat log
      `;
      try {
        const variables = {
          PATH: await installed(folder),
          MONGODB_ATLAS_ACCESS_TOKEN: "it would win",
          // Nothing is behind it: whoever asks it fails.
          http_proxy: "http://127.0.0.1:9",
          HTTP_PROXY: "http://127.0.0.1:9",
        };
        const lines = String(await printed([shell, "-c", `set -m; ${script}`], variables, folder)).split("\n");
        assert.match(String(lines[0]), /"totalCount":3/);
        assert.deepEqual(lines.slice(1, 8), [
          "200",
          "4",
          "project-1",
          "project-2",
          "project-3",
          "python",
          "ended with 0",
        ]);
        assert.match(
          lines.slice(8).join("\n"),
          /^A fake Atlas is at .*\nGET \S+\?itemsPerPage=1 401\nGET \S+ 200\nPOST /,
        );
      } finally {
        await rm(folder, { recursive: true });
      }
    });
  });
}

const runtimes: [name: string, program: string, args: string[]][] = [
  ["Node 24", join(modules, "node24/bin/node"), []],
  ["Node 26", join(modules, "node26/bin/node"), []],
  ["Deno", join(modules, "deno/deno"), ["run", "-A", "--no-check"]],
  ["Bun", join(modules, ".bin/bun"), []],
];
for (const [name, program, args] of runtimes) {
  await whereInstalled(`The command through a proxy on ${name}`, [program], () => {
    test(`atlas-fetch goes through the proxy of the environment on ${name}`, async () => {
      const asked: string[] = [];
      const proxy = createServer((request, response) => {
        asked.push(String(request.url));
        response.setHeader("Content-Type", "application/json").end('{"by":"proxy"}');
      });
      proxy.on("connect", ({ url }, socket) => {
        asked.push(String(url));
        socket.end("HTTP/1.1 200 OK\r\n\r\n");
      });
      await new Promise<void>((resolve) => proxy.listen(0, "127.0.0.1", resolve));
      const address = proxy.address();
      assert.ok(address && typeof address === "object");
      const variables = {
        HTTPS_PROXY: `http://127.0.0.1:${address.port}`,
        MONGODB_ATLAS_BASE_URL: "https://atlas.invalid",
        ATLAS_USER: "abcdefgh",
        ATLAS_USER_KEY: "secret",
      };
      try {
        await printed([program, ...args, "lib/cli.ts", "/x"], variables).catch(() => {}); // it gets no further
        assert.ok(asked.includes("atlas.invalid:443"), String(asked));
      } finally {
        proxy.close();
        proxy.closeAllConnections();
      }
    });
  });
}

// README's recipe for proxies, and what it says of the runtimes that need none, through a real CONNECT proxy.
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import { type AddressInfo, connect } from "node:net";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { serveFakeAtlas } from "../../lib/testing.ts";
import { whereInstalled } from "./programs.ts";

const run = promisify(execFile);
const here = fileURLToPath(new URL(".", import.meta.url));
const readme = await readFile(join(here, "../../README.md"), "utf8");
const [recipe = ""] = [...readme.matchAll(/^```ts ignore\n(.*?)^```$/gms)]
  .map(([, code = ""]) => code)
  .filter((code) => code.includes("EnvHttpProxyAgent"));

/** Runs a program with a proxy in its environment; gives what it prints and how many tunnels the proxy was asked for. */
async function throughProxy(program: string, args: string[], code: string, variables: Record<string, string> = {}) {
  let tunnels = 0;
  const proxy = createServer((request, response) => {
    // Deno and Bun hand a proxy the whole URL for http:, without a tunnel.
    tunnels++;
    const url = new URL(request.url ?? "");
    fetch(url, { headers: Object.entries(request.headers).map(([name, value]) => [name, String(value)]) })
      .then(async (answer) => {
        const headers = [...answer.headers].filter(([name]) => !/^(content-length|connection|transfer-)/.test(name));
        response.writeHead(answer.status, Object.fromEntries(headers)).end(await answer.text());
      }, () => response.destroy());
  });
  proxy.on("connect", (request, socket) => {
    tunnels++;
    const [host = "", port = ""] = (request.url ?? "").split(":");
    const upstream = connect(Number(port), host, () => {
      socket.write("HTTP/1.1 200 Connection Established\r\n\r\n");
      upstream.pipe(socket);
      socket.pipe(upstream);
    });
    for (const end of [upstream, socket]) end.on("error", () => end.destroy());
  });
  await new Promise<void>((resolve) => proxy.listen(0, "127.0.0.1", resolve));
  const { port } = proxy.address() as AddressInfo;
  const atlas = await serveFakeAtlas();
  const folder = await mkdtemp(join(here, ".proxy-"));
  try {
    const file = join(folder, "program.ts");
    await writeFile(file, code.replace('"atlas-fetch"', '"../../../mod.ts"'));
    const env = {
      ...process.env,
      ATLAS_USER: atlas.credentials.publicKey,
      ATLAS_USER_KEY: atlas.credentials.privateKey,
      MONGODB_ATLAS_BASE_URL: atlas.url,
      HTTP_PROXY: `http://127.0.0.1:${port}`,
      http_proxy: `http://127.0.0.1:${port}`,
      NO_PROXY: "",
      no_proxy: "",
      ...variables,
    };
    const { stdout } = await run(program, [...args, file], { cwd: here, env });
    return { stdout: stdout.trim(), tunnels };
  } finally {
    await rm(folder, { recursive: true });
    await atlas.close();
    proxy.closeAllConnections();
    proxy.close();
  }
}

test("README's recipe for a proxy goes through it on this Node", async () => {
  assert.match(recipe, /EnvHttpProxyAgent/);
  const { stdout, tunnels } = await throughProxy(process.execPath, ["--import", "tsx"], recipe);
  assert.equal(stdout, "200");
  assert.ok(tunnels > 0);
});

const plain = recipe.split("\n").filter((line) => !/undici|Dispatcher/.test(line)).join("\n");
const modules = join(here, "node_modules");
const others: [string, string, string[], Record<string, string>][] = [
  ["Node 24", join(modules, "node24/bin/node"), [], { NODE_USE_ENV_PROXY: "1" }],
  ["Node 26", join(modules, "node26/bin/node"), [], { NODE_USE_ENV_PROXY: "1" }],
  ["Deno", join(modules, "deno/deno"), ["run", "-A", "--no-check"], {}],
  ["Bun", join(modules, ".bin/bun"), ["run"], {}],
];
for (const [name, program, args, variables] of others) {
  const title = `README is right that ${name} needs no recipe for a proxy`;
  await whereInstalled(title, [program], () => {
    test(title, async () => {
      const { stdout, tunnels } = await throughProxy(program, args, plain, variables);
      assert.equal(stdout, "200");
      assert.ok(tunnels > 0, "nothing came through the proxy");
    });
  });
}

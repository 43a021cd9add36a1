import test, { after, before } from "node:test";
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { cp, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { serveFakeAtlas } from "../../lib/testing.ts";
import * as source from "../../mod.ts";
import { run, whereInstalled } from "./programs.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));
const programs = {
  "Node 20": join(root, "test/interop/node_modules/node20/bin/node"),
  "Node 22": join(root, "test/interop/node_modules/node22/bin/node"),
  Deno: join(root, "test/interop/node_modules/deno/deno"),
  Bun: join(root, "test/interop/node_modules/.bin/bun"),
};
const serviceAccount = {
  clientId: "mdb_sa_id_0123456789abcdef01234567",
  clientSecret: "mdb_sa_sk_under_score",
};

let folder: string;
let file: string;
let text: string;
before(async () => {
  folder = await mkdtemp(join(tmpdir(), "atlas-fetch-vendor-test-"));
  file = join(folder, "built/atlas-fetch.mjs");
  await vendor("built");
  text = await readFile(file, "utf8");
});
after(() => rm(folder, { recursive: true, force: true }));

function vendor(name: string): Promise<string> {
  return run(process.execPath, [
    join(root, ".ci/vendor.mjs"),
    join(folder, name),
  ]);
}

/** An empty folder with a script in it. */
async function emptyFolder(name: string, script: string): Promise<string> {
  const path = join(folder, name);
  await mkdir(path);
  await writeFile(join(path, "script.mjs"), script);
  return path;
}

/** No permission beyond loopback where the runtime has permissions; no configuration from around it. */
function runScript(name: keyof typeof programs, path: string): Promise<string> {
  const script = join(path, "script.mjs");
  return run(
    programs[name],
    name === "Deno" ? ["run", "--no-config", "--allow-net=127.0.0.1", script] : [script],
  );
}

test("npm run vendor writes the same file each time, with its checksum", async () => {
  await vendor("again");
  const again = await readFile(join(folder, "again/atlas-fetch.mjs"), "utf8");
  assert.equal(again, text);
  const sum = createHash("sha256").update(text).digest("hex");
  assert.equal(
    await readFile(`${file}.sha256`, "utf8"),
    `${sum}  atlas-fetch.mjs\n`,
  );
  assert.deepEqual((await readdir(join(folder, "built"))).sort(), [
    "atlas-fetch.mjs",
    "atlas-fetch.mjs.sha256",
  ]);
});

test("The vendored file imports node:crypto only", () => {
  const imports = [
    ...text.matchAll(
      /^\s*(?:import|export)\b[^"'`;]*?from "([^"]*)"|\bimport\(|\brequire\(/gm,
    ),
  ];
  const modules = imports.filter(([line]) => !line.startsWith(" *")).map((
    [, module],
  ) => module);
  assert.deepEqual(modules, ["node:crypto"]);
});

test("The vendored file says what it is, under which licence, and how to verify that", async () => {
  const head = text.slice(0, text.indexOf("*/"));
  const { version } = JSON.parse(
    await readFile(join(root, "package.json"), "utf8"),
  );
  assert.ok(head.startsWith(`/*!\n * atlas-fetch ${version},`));
  for (
    const line of (await readFile(join(root, "LICENSE"), "utf8")).trim().split(
      "\n",
    )
  ) assert.ok(head.includes(line));
  assert.match(head, /sha256sum -c atlas-fetch\.mjs\.sha256/);
});

test("The vendored file is readable: the docstrings of the sources, no long lines", async () => {
  const files = (await readdir(join(root, "lib"), { recursive: true })).filter((file) => file.endsWith(".ts"));
  const sources = await Promise.all(files.map((file) => readFile(join(root, "lib", file), "utf8")));
  for (const name of Object.keys(source)) {
    const documented = new RegExp(
      String.raw`(/\*\*(?:(?!\*/)[^])*\*/\n)export (?:(?:async )?function\*?|class|const) ${name}\b`,
    );
    const [docstring = "none"] = sources.flatMap((text) => documented.exec(text)?.[1] ?? []);
    assert.ok(text.includes(docstring), `${name} has lost its docstring`);
  }
  for (const line of text.split("\n")) assert.ok(line.length <= 160, line);
});

test("The vendored file exports what the root entry exports", async () => {
  const vendored: Record<string, unknown> = await import(`file://${file}`);
  assert.deepEqual(Object.keys(vendored).sort(), Object.keys(source).sort());
});

for (const name of ["Node 20", "Deno", "Bun"] as const) {
  const title = `The vendored file alone in a folder calls Atlas on ${name}`;
  await whereInstalled(title, [programs[name]], () => {
    test(title, async () => {
      const atlas = await serveFakeAtlas({ serviceAccount });
      try {
        const path = await emptyFolder(
          name,
          `import { createAtlasFetch, ensureOk, paginate } from "./atlas-fetch.mjs";
          const names = [];
          for (const credentials of ${JSON.stringify([atlas.credentials, serviceAccount])}) {
            const atlasFetch = createAtlasFetch({ baseUrl: "${atlas.url}", credentials });
            const created = await ensureOk(atlasFetch("groups", {
              method: "POST",
              body: JSON.stringify({ name: "made-" + names.length, orgId: "0123456789abcdef01234567" }),
            }));
            names.push((await created.json()).name);
            for await (const { name } of paginate(atlasFetch, "/groups?itemsPerPage=2")) names.push(name);
          }
          console.log(names.join(" "));`,
        );
        await cp(file, join(path, "atlas-fetch.mjs"));
        const before = "project-1 project-2 project-3 made-0";
        assert.equal(
          await runScript(name, path),
          `made-0 ${before} made-5 ${before} made-5\n`,
        );
      } finally {
        await atlas.close();
      }
    });
  });
}

for (const name of ["Node 22", "Deno", "Bun"] as const) {
  const title = `The folder lib/digest alone answers a Digest server on ${name}`;
  await whereInstalled(title, [programs[name]], () => {
    test(title, async () => {
      const atlas = await serveFakeAtlas();
      const { publicKey: username, privateKey: password } = atlas.credentials;
      try {
        const path = await emptyFolder(
          `digest-${name}`,
          `import { createDigestFetch } from "./digest/mod.ts";
          const fetch = createDigestFetch(${JSON.stringify({ username, password })});
          console.log((await fetch("${atlas.url}/api/public/v1.0/groups")).status);`,
        );
        await cp(join(root, "lib/digest"), join(path, "digest"), {
          recursive: true,
        });
        assert.equal(await runScript(name, path), "200\n");
      } finally {
        await atlas.close();
      }
    });
  });
}

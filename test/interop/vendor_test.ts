import test, { after, before } from "node:test";
import assert from "node:assert/strict";
import { appendFile, cp, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { serveFakeAtlas } from "../../lib/testing.ts";
import * as source from "../../mod.ts";
import { addNodeTypes, compile, compilers, surroundings } from "./compilers.ts";
import { run, whereInstalled } from "./programs.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));
const programs = {
  "Node 20": join(root, "test/interop/node_modules/node20/bin/node"),
  "Node 22": join(root, "test/interop/node_modules/node22/bin/node"),
  Deno: join(root, "test/interop/node_modules/deno/deno"),
  Bun: join(root, "test/interop/node_modules/.bin/bun"),
};
const serviceAccount = { clientId: "mdb_sa_id_0123456789abcdef01234567", clientSecret: "mdb_sa_sk_under_score" };

let folder: string;
let file: string;
let text: string;
let types: string;
before(async () => {
  folder = await mkdtemp(join(tmpdir(), "atlas-fetch-vendor-test-"));
  file = join(folder, "built/atlas-fetch.mjs");
  await vendor("built");
  text = await readFile(file, "utf8");
  types = await readFile(join(folder, "built/atlas-fetch.d.mts"), "utf8");
});
after(() => rm(folder, { recursive: true, force: true }));

function vendor(name: string): Promise<string> {
  return run(process.execPath, [join(root, ".ci/vendor.mjs"), join(folder, name)]);
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
  return run(programs[name], name === "Deno" ? ["run", "--no-config", "--allow-net=127.0.0.1", script] : [script]);
}

test("npm run vendor writes the same files each time", async () => {
  await vendor("again");
  const names = ["atlas-fetch.d.mts", "atlas-fetch.mjs", "atlas-fetch.mjs.sha256"];
  assert.deepEqual((await readdir(join(folder, "built"))).sort(), names);
  for (const name of names) {
    const read = (place: string) => readFile(join(folder, place, name), "utf8");
    assert.equal(await read("again"), await read("built"));
  }
});

await whereInstalled("sha256sum -c takes the vendored files", ["sha256sum"], () => {
  test("sha256sum -c takes the vendored files, and no others", async () => {
    const path = await typedFolder("checked");
    const check = () => run("/bin/sh", ["-c", 'cd "$0" && sha256sum -c atlas-fetch.mjs.sha256 2>&1 || true', path]);
    assert.equal(await check(), "atlas-fetch.mjs: OK\natlas-fetch.d.mts: OK\n");
    for (const name of ["atlas-fetch.mjs", "atlas-fetch.d.mts"]) await appendFile(join(path, name), " ");
    assert.match(await check(), /atlas-fetch\.mjs: FAILED\natlas-fetch\.d\.mts: FAILED/);
  });
});

test("The vendored file imports node:crypto only, its types nothing", () => {
  const modules = (text: string) => {
    const imports = [...text.matchAll(/^\s*(?:import|export)\b[^"'`;]*?from "([^"]*)"|\bimport\(|\brequire\(/gm)];
    return imports.filter(([line]) => !line.startsWith(" *")).map(([, module]) => module);
  };
  assert.deepEqual([modules(text), modules(types)], [["node:crypto"], []]);
});

test("The vendored files say what they are, under which licence, and how to verify that", async () => {
  const { version } = JSON.parse(await readFile(join(root, "package.json"), "utf8"));
  const licence = (await readFile(join(root, "LICENSE"), "utf8")).trim().split("\n");
  for (const file of [text, types]) {
    const head = file.slice(0, file.indexOf("*/"));
    assert.ok(head.startsWith(`/*!\n * atlas-fetch ${version},`));
    for (const line of licence) assert.ok(head.includes(line));
    assert.match(head, /sha256sum -c atlas-fetch\.mjs\.sha256/);
  }
});

test("The vendored files are readable: the docstrings of the sources, each module under its name, no long lines", async () => {
  const files = (await readdir(join(root, "lib"), { recursive: true })).filter((file) => file.endsWith(".ts"));
  const sources = await Promise.all(files.map((file) => readFile(join(root, "lib", file), "utf8")));
  for (const name of Object.keys(source)) {
    const documented = new RegExp(
      String.raw`(/\*\*(?:(?!\*/)[^])*\*/\n)export (?:(?:async )?function\*?|class|const) ${name}\b`,
    );
    const [docstring = "none"] = sources.flatMap((text) => documented.exec(text)?.[1] ?? []);
    assert.ok(text.includes(docstring) && types.includes(docstring), `${name} has lost its docstring`);
  }
  assert.match(text, /^\/\/ --- lib\/digest\/digest_fetch\.ts$/m);
  for (const line of `${text}${types}`.split("\n")) assert.ok(line.length <= 160, line);
});

for (const surrounding of surroundings) {
  for (const compiler of compilers) {
    const title = `The types of the vendored file compile ${surrounding.name}, under ${compiler.name}`;
    await whereInstalled(title, [compiler.tsc], () => {
      test(title, async () => {
        const path = await typedFolder(`${compiler.name} ${surrounding.name.replace("@types/node", "Node")}`);
        if (surrounding.hasNode) await addNodeTypes(path);
        const program = await readFile(new URL("types/consumer.ts", import.meta.url), "utf8");
        const imports = program.replace(/"atlas-fetch(\/digest)?"/g, '"./atlas-fetch.mjs"');
        await writeFile(join(path, "consumer.mts"), imports);
        const options = { ...surrounding.options, module: "nodenext" };
        assert.equal(await compile(compiler, path, options, ["consumer.mts"]), "");
      });
    });
  }
}

test("The vendored file has each type of mod.ts, and its values have the same types", async () => {
  const path = await typedFolder("same");
  await addNodeTypes(path);
  for (const name of ["mod.ts", "lib"]) await cp(join(root, name), join(path, "source", name), { recursive: true });
  const mod = await readFile(join(root, "mod.ts"), "utf8");
  const exports = mod.match(/^export [^"]*"/gm)?.map((list) =>
    `${list.replace("export", "import")}./atlas-fetch.mjs";`
  );
  assert.ok(exports && exports.length > 5);
  await writeFile(
    join(path, "same.mts"),
    `${exports.join("\n")}
    import * as vendored from "./atlas-fetch.mjs";
    import * as packed from "./source/mod.ts";
    export const one: typeof packed = vendored;
    export const other: typeof vendored = packed;`,
  );
  const options = { lib: ["es2022"], types: ["node"], module: "nodenext", allowImportingTsExtensions: true };
  for (const compiler of compilers) assert.equal(await compile(compiler, path, options, ["same.mts"]), "");
});

/** The vendored file and its types in a folder of ES modules. */
async function typedFolder(name: string): Promise<string> {
  const path = join(folder, name);
  await cp(join(folder, "built"), path, { recursive: true });
  await writeFile(join(path, "package.json"), '{ "type": "module" }');
  return path;
}

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
        assert.equal(await runScript(name, path), `made-0 ${before} made-5 ${before} made-5\n`);
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
        await cp(join(root, "lib/digest"), join(path, "digest"), { recursive: true });
        assert.equal(await runScript(name, path), "200\n");
      } finally {
        await atlas.close();
      }
    });
  });
}

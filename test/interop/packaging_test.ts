/** What npm and JSR would publish, judged as published: by its consumers' compilers and runtimes, publint and attw. */

import test, { after } from "node:test";
import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { cp, mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { path, run, whereInstalled } from "./programs.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));
const modules = join(root, "test/interop/node_modules");
const deno = join(modules, "deno/deno");
const bun = join(modules, ".bin/bun");
const nodes = [20, 22, 24, 26].map((major) => ({
  name: `Node ${major}`,
  program: join(modules, `node${major}/bin/node`),
}));
const compilers = [
  { name: "TypeScript 5.7", tsc: join(modules, "typescript/bin/tsc") },
  { name: "the current TypeScript", tsc: join(root, "node_modules/typescript/bin/tsc") },
];
const entries = ["atlas-fetch", "atlas-fetch/digest", "atlas-fetch/testing"];

const folder = await mkdtemp(join(tmpdir(), "atlas-fetch-packaging-"));
after(() => rm(folder, { recursive: true, force: true }));

// A copy: npm pack builds anew, and others may be using dist. -----------------------------------

const source = join(folder, "source");
await mkdir(source);
const published = [
  "mod.ts",
  "lib",
  "package.json",
  "deno.json",
  "tsconfig.json",
  "README.md",
  "LICENSE",
  "CHANGELOG.md",
];
for (const name of published.filter((name) => existsSync(join(root, name)))) {
  await cp(join(root, name), join(source, name), { recursive: true });
}
await symlink(join(root, "node_modules"), join(source, "node_modules"));
const manifest = JSON.parse(await readFile(join(root, "package.json"), "utf8"));
const tarball = join(folder, `atlas-fetch-${manifest.version}.tgz`);
await runIn(source, "npm", ["pack", "--silent", `--pack-destination=${folder}`]);
const project = await consumer("project");
const installed = join(project, "node_modules/atlas-fetch");

async function runIn(cwd: string, program: string, args: readonly string[]): Promise<string> {
  try {
    return await run("/bin/sh", ["-c", 'cd "$0" && exec "$@" 2>&1', cwd, program, ...args], { PATH: path });
  } catch (error) {
    const output = error instanceof Error && "stdout" in error ? error.stdout : "";
    throw new Error(`${program} ${args.join(" ")}\n${output}`, { cause: error });
  }
}

/** A folder in which the tarball has been installed. */
async function consumer(name: string): Promise<string> {
  const project = join(folder, name);
  await mkdir(project);
  await writeFile(join(project, "package.json"), `{ "name": "${name}", "version": "1.0.0", "private": true }`);
  await runIn(project, "npm", ["install", "--silent", "--offline", "--no-audit", "--no-fund", tarball]);
  return project;
}

async function filesBelow(folder: string): Promise<string[]> {
  const found = await readdir(folder, { recursive: true, withFileTypes: true });
  return found.filter((entry) => entry.isFile()).map((entry) => {
    return join(entry.parentPath, entry.name).slice(folder.length + 1);
  }).sort();
}

/** What the compiler says, without rejecting when that is not nothing. */
async function compile(
  tsc: string,
  folder: string,
  options: Record<string, unknown>,
  files: string[],
): Promise<string> {
  const compilerOptions = {
    target: "es2022",
    strict: true,
    exactOptionalPropertyTypes: true,
    noEmit: true,
    ...options,
  };
  await writeFile(join(folder, "tsconfig.json"), JSON.stringify({ compilerOptions, files }));
  return await runIn(folder, "/bin/sh", ["-c", '"$0" "$1" --pretty false || true', process.execPath, tsc]);
}

// npm -------------------------------------------------------------------------------------------

test("The package holds types for each source, the entries, what these share, its papers, and nothing else", async () => {
  const sources = ["mod.ts", ...(await filesBelow(join(root, "lib"))).map((file) => `lib/${file}`)];
  const files = await filesBelow(installed);
  assert.deepEqual(
    files.filter((file) => !/^dist\/lib\/chunk-[A-Z\d]{8}\.js$/.test(file)),
    [
      "CHANGELOG.md",
      "LICENSE",
      "README.md",
      "package.json",
      ...["mod", "lib/digest/mod", "lib/testing", "lib/cli"].map((entry) => `dist/${entry}.js`),
      ...sources.map((file) => `dist/${file.replace(/\.ts$/, ".d.ts")}`),
    ].sort(),
  );
  const scripts = files.filter((file) => file.endsWith(".js"));
  const loaded = await Promise.all(scripts.filter((file) => !file.includes("chunk")).map(filesLoadedBy));
  assert.deepEqual([...new Set(loaded.flat())].sort(), scripts); // no chunk that no entry needs
});

// Each file costs a cold start about half a per cent.
for (const { entry, most } of [{ entry: "dist/mod.js", most: 3 }, { entry: "dist/lib/digest/mod.js", most: 2 }]) {
  test(`${entry} loads at most ${most} files`, async () => {
    const loaded = await filesLoadedBy(entry);
    assert.ok(loaded.length <= most, loaded.join(", "));
  });
}

/** A built file and what it imports of the package, at any distance. */
async function filesLoadedBy(entry: string): Promise<string[]> {
  const loaded = new Set([entry]);
  for (const file of loaded) {
    const text = await readFile(join(installed, file), "utf8");
    for (const [, specifier = ""] of text.matchAll(/^(?:import|export|\}).*"(\.[^"]+)";$/gm)) {
      loaded.add(join(file, "..", specifier));
    }
  }
  return [...loaded];
}

test("The package imports nothing but itself and Node's own modules", async () => {
  for (const file of await filesBelow(installed)) {
    if (!/\.(js|d\.ts)$/.test(file)) continue;
    const text = (await readFile(join(installed, file), "utf8")).replace(/^ *(\/\*\*|\*).*$/gm, "");
    for (const [, specifier = ""] of text.matchAll(/\b(?:from|import)[ (]*"([^"]+)"/g)) {
      assert.match(
        specifier,
        file.endsWith(".js") ? /^(\.\.?\/.*\.js|node:[\w/]+)$/ : /^(\.\.?\/.*\.(js|ts)|node:[\w/]+)$/,
        file,
      );
    }
  }
  assert.equal(manifest.dependencies, undefined);
  assert.equal(manifest.peerDependencies, undefined);
});

test("The package runs no script where it is installed", () => {
  const scripts: string[] = Object.keys(manifest.scripts);
  assert.deepEqual(scripts.filter((name) => /^(pre|post)?(install|prepare|uninstall)$/.test(name)), []);
});

for (
  const { name, program } of [...nodes, { name: "Deno", program: deno }, { name: "Bun", program: bun }]
) {
  const title = `The installed package calls Atlas on ${name}`;
  await whereInstalled(title, [program], () => {
    test(title, async () => {
      const file = join(project, `import-${name.replace(" ", "-")}.mjs`);
      await writeFile(
        file,
        `${
          script(
            'import { createAtlasFetch } from "atlas-fetch"',
            'import { serveFakeAtlas } from "atlas-fetch/testing"',
            'import { createDigestFetch } from "atlas-fetch/digest"',
          )
        }`,
      );
      assert.equal(await runIn(project, program, name === "Deno" ? ["run", "-A", file] : [file]), "200 200\n");
    });
  });
}

for (const { name, program } of nodes) {
  const title = `The installed package can be required by CommonJS on ${name}`;
  await whereInstalled(title, [program], () => {
    test(title, async () => {
      const file = join(project, `require-${name.replace(" ", "-")}.cjs`);
      await writeFile(
        file,
        `(async () => { ${
          script(
            'const { createAtlasFetch } = require("atlas-fetch")',
            'const { serveFakeAtlas } = require("atlas-fetch/testing")',
            'const { createDigestFetch } = require("atlas-fetch/digest")',
          )
        } })()`,
      );
      assert.match(await runIn(project, program, [file]), /^200 200$/m); // Node 20 warns that this is new
    });
  });
}

function script(...imports: string[]): string {
  return `${imports.join(";\n")};
    const { url, credentials, close } = await serveFakeAtlas();
    const { publicKey: username, privateKey: password } = credentials;
    const response = await createAtlasFetch({ baseUrl: url, credentials })("/groups");
    const plain = await createDigestFetch({ username, password })(url + "/api/public/v1.0/groups");
    console.log(response.status, plain.status);
    await close();
  `;
}

for (const { name, program } of nodes.slice(0, 1)) {
  const title = `The installed command answers from the embedded fake on ${name}`;
  await whereInstalled(title, [program], () => {
    test(title, async () => {
      const output = await run(program, [
        join(project, "node_modules/.bin/atlas-fetch"),
        "--fake",
        "/groups?itemsPerPage=1",
      ]);
      assert.equal(JSON.parse(output).totalCount, 3);
    });
  });
}

// Types -----------------------------------------------------------------------------------------

const surroundings = [
  { name: "with DOM, without @types/node", options: { lib: ["es2022", "dom", "dom.iterable"], types: [] } },
  { name: "with @types/node, without DOM", options: { lib: ["es2022"], types: ["node"] } },
];
const resolutions = [
  { name: "nodenext", options: { module: "nodenext" } },
  { name: "bundler", options: { module: "esnext", moduleResolution: "bundler" } },
];
const program = await readFile(new URL("types/consumer.ts", import.meta.url), "utf8");

for (const [index, surrounding] of surroundings.entries()) {
  const project = await consumer(`consumer-${index}`);
  await writeFile(join(project, "consumer.mts"), program);
  if (surrounding.options.types.includes("node")) {
    await mkdir(join(project, "node_modules/@types"));
    await symlink(join(root, "node_modules/@types/node"), join(project, "node_modules/@types/node"));
    await symlink(join(root, "node_modules/undici-types"), join(project, "node_modules/undici-types"));
  }
  for (const { name, tsc } of compilers) {
    for (const resolution of resolutions) {
      const title = `The types compile ${surrounding.name}, under ${name} and ${resolution.name}`;
      await whereInstalled(title, [tsc], () => {
        test(title, async () => {
          const options = { ...surrounding.options, ...resolution.options };
          assert.equal(await compile(tsc, project, options, ["consumer.mts"]), "");
        });
      });
    }
  }
}

for (const { name, tsc } of compilers) {
  const title = `The types need these globals of the web and no others, says ${name}`;
  await whereInstalled(title, [tsc], () => {
    test(title, async () => {
      const imports = entries.map((entry) => `export * from "${entry}";\n`)
        .join("");
      await writeFile(join(project, "globals.mts"), imports.replace(/.*digest";\n/, ""));
      const output = await compile(tsc, project, { lib: ["es2022"], types: [], module: "nodenext" }, ["globals.mts"]);
      const names = [...output.matchAll(/error TS\d+: Cannot find name '(\w+)'/g)].map(([, name]) => name);
      assert.equal(output.match(/error TS/g)?.length, names.length, output);
      assert.deepEqual([...new Set(names)].sort(), [
        "AbortSignal",
        "Blob",
        "Headers",
        "ReadableStream",
        "Request",
        "RequestInit",
        "Response",
        "URL",
      ]);
    });
  });
}

test("publint finds nothing to say", async () => {
  const output = await runIn(installed, process.execPath, [join(modules, "publint/src/cli.js"), "--strict"]);
  assert.match(output, /All good!/);
});

test("attw finds that the types resolve for each ESM consumer", async () => {
  const attw = join(modules, "@arethetypeswrong/cli/dist/index.js");
  // It fails if it finds a problem.
  const output = await runIn(folder, process.execPath, [attw, tarball, "--profile", "esm-only", "--format", "ascii"]);
  for (const entry of entries) assert.ok(output.includes(entry), output);
});

// JSR -------------------------------------------------------------------------------------------

test("JSR and npm have the same version and the same entries", async () => {
  const jsr = JSON.parse(await readFile(join(root, "deno.json"), "utf8"));
  assert.equal(jsr.version, manifest.version);
  assert.equal(jsr.license, manifest.license);
  const { "./package.json": _, ...exports } = manifest.exports;
  const built = Object.entries<{ types: string; default: string }>(exports).map(
    ([key, entry]) => {
      assert.equal(entry.types, entry.default.replace(/\.js$/, ".d.ts"));
      return [key, entry.default.replace("./dist/", "./").replace(/\.js$/, ".ts")];
    },
  );
  assert.deepEqual(Object.fromEntries(built), jsr.exports);
});

await whereInstalled("JSR would take the package", [deno], () => {
  test("JSR would take the package, with no slow types", async () => {
    const output = await runIn(source, deno, ["publish", "--dry-run", "--allow-dirty", "--quiet"]);
    assert.doesNotMatch(output, /slow.type|warning|error/i);
  });

  test("deno doc --lint misses no documentation", async () => {
    await runIn(source, deno, ["doc", "--lint", "--quiet", "mod.ts", "lib/digest/mod.ts", "lib/testing.ts"]);
  });

  test("The examples in README and in the docstrings compile", async () => {
    const sources = (await filesBelow(join(source, "lib"))).map((file) => `lib/${file}`);
    await runIn(source, deno, ["check", "--doc", "--quiet", "README.md", "mod.ts", ...sources]);
  });
});

// Supply chain ----------------------------------------------------------------------------------

test("Each dependency of ours is of one exact version, and no lockfile names a registry", async () => {
  for (const folder of [".", "test/interop"]) {
    const { dependencies = {}, devDependencies = {} } = JSON.parse(
      await readFile(join(root, folder, "package.json"), "utf8"),
    );
    for (
      const version of Object.values<string>({ ...dependencies, ...devDependencies })
    ) {
      assert.match(version, /^(npm:[\w@/-]+@)?\d+\.\d+\.\d+$/);
    }
    assert.doesNotMatch(await readFile(join(root, folder, "package-lock.json"), "utf8"), /"resolved"/);
  }
});

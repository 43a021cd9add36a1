/** What npm and JSR would publish, judged as published: by its consumers' compilers and runtimes, publint and attw. */

import test, { after } from "node:test";
import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { cp, mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import { addNodeTypes, compile, compilers, surroundings, typescript5 } from "./compilers.ts";
import { path, run, whereInstalled } from "./programs.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));
const modules = join(root, "test/interop/node_modules");
const deno = join(modules, "deno/deno");
const bun = join(modules, ".bin/bun");
const nodes = [20, 22, 24, 26].map((major) => ({
  name: `Node ${major}`,
  program: join(modules, `node${major}/bin/node`),
}));
const entries = ["atlas-fetch", "atlas-fetch/digest", "atlas-fetch/testing"];

const folder = await mkdtemp(join(tmpdir(), "atlas-fetch-packaging-"));
after(() => rm(folder, { recursive: true, force: true }));

// A copy: npm pack builds anew, and others may be using dist. -----------------------------------

const source = join(folder, "source");
await mkdir(source);
const manifest = JSON.parse(await readFile(join(root, "package.json"), "utf8"));
const papers: string[] = manifest.files.filter((file: string) => !file.startsWith("dist"));
const needed = ["mod.ts", "lib", ".ci", "package.json", "deno.json", "tsconfig.json", "README.md", "LICENSE"];
for (const name of [...needed, ...papers]) await cp(join(root, name), join(source, name), { recursive: true });
await symlink(join(root, "node_modules"), join(source, "node_modules"));
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

// npm -------------------------------------------------------------------------------------------

test("The package holds types for each source, the entries, what these share, source maps, papers, and no more", async () => {
  const sources = ["mod.ts", ...(await filesBelow(join(root, "lib"))).map((file) => `lib/${file}`)];
  const scripts = ["mod", "lib/digest/mod", "lib/testing", "lib/cli", "lib/atlas_fetch", "lib/digest_fetch"];
  assert.deepEqual(
    await filesBelow(installed),
    [
      ...["LICENSE", "README.md", "package.json", ...papers],
      ...scripts.flatMap((script) => [`dist/${script}.js`, `dist/${script}.js.map`]),
      ...sources.map((file) => `dist/${file.replace(/\.ts$/, ".d.ts")}`),
    ].sort(),
  );
});

// Each file costs a cold start 0.3 per cent.
for (const { entry, max } of [{ entry: "dist/mod.js", max: 3 }, { entry: "dist/lib/digest/mod.js", max: 2 }]) {
  test(`${entry} loads at most ${max} files`, async () => {
    const loaded = await filesLoadedBy(entry);
    assert.ok(loaded.length <= max, loaded.join(", "));
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

for (const { name, program } of [...nodes, { name: "Deno", program: deno }, { name: "Bun", program: bun }]) {
  const title = `The installed package calls Atlas on ${name}`;
  await whereInstalled(title, [program], () => {
    test(title, async () => {
      const file = join(project, `import-${name.replace(" ", "-")}.mjs`);
      await writeFile(file, script((name, entry) => `import { ${name} } from "${entry}";`));
      assert.equal(await runIn(project, program, name === "Deno" ? ["run", "-A", file] : [file]), "200 200\n");
    });
  });
}

for (const { name, program } of nodes) {
  const title = `The installed package can be required by CommonJS on ${name}`;
  await whereInstalled(title, [program], () => {
    test(title, async () => {
      const file = join(project, `require-${name.replace(" ", "-")}.cjs`);
      await writeFile(file, script((name, entry) => `const { ${name} } = require("${entry}");`));
      assert.match(await runIn(project, program, [file]), /^200 200$/m); // Node 20 warns that this is new
    });
  });
}

/** Takes something from each entry, and calls Atlas with it. */
function script(take: (name: string, entry: string) => string): string {
  return `
    ${take("createAtlasFetch", "atlas-fetch")}
    ${take("createDigestFetch", "atlas-fetch/digest")}
    ${take("serveFakeAtlas", "atlas-fetch/testing")}
    async function call() {
      const { url, credentials, close } = await serveFakeAtlas();
      const { publicKey: username, privateKey: password } = credentials;
      const response = await createAtlasFetch({ baseUrl: url, credentials })("/groups");
      const plain = await createDigestFetch({ username, password })(url + "/api/public/v1.0/groups");
      console.log(response.status, plain.status);
      await close();
    }
    call();
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

// What a user sees of it ------------------------------------------------------------------------

test("A stack trace names what the package has put into a file and, with --enable-source-maps, the source", async () => {
  const file = join(project, "trace.mjs");
  await writeFile(
    file,
    `import { createDigestFetch } from "atlas-fetch/digest";
    const fetch = async () => { throw new Error("out of order") };
    await createDigestFetch({ username: "a", password: "b", fetch })("http://127.0.0.1").catch(({ stack }) => console.log(stack));`,
  );
  assert.match(await run(process.execPath, [file]), /at sendDigest .*atlas-fetch\/dist\/lib\/digest_fetch\.js:\d+:\d+/);
  const trace = await run(process.execPath, ["--enable-source-maps", file]);
  const [, line] = /at sendDigest .*atlas-fetch\/lib\/digest\/digest_fetch\.ts:(\d+):\d+/.exec(trace) ?? [];
  const source = await readFile(join(root, "lib/digest/digest_fetch.ts"), "utf8");
  assert.match(source.split("\n")[Number(line) - 1] ?? "", /await send\(/, trace);
});

test("console.log shows functions of the package by the names that the sources give them", async () => {
  const file = join(project, "names.mjs");
  await writeFile(
    file,
    `import { atlasFetch, createAtlasFetch, createBearerFetch, createDigestFetch, createRetryFetch } from "atlas-fetch";
    console.log(atlasFetch, createAtlasFetch(), createBearerFetch({ token() {} }), createRetryFetch());
    console.log(createDigestFetch({ username: "", password: "" }));`,
  );
  const shown = await run(process.execPath, [file]);
  assert.match(shown, /^\[(Async)?Function: atlasFetch\]/);
  assert.doesNotMatch(shown, /anonymous|\d/);
});

/** What is in a bundle shows by a word of it. */
const WORDS = { digest: "nextnonce", tokens: "client_credentials", pages: "itemsPerPage", command: "process.argv" };
for (
  const { name, max, own } of [
    { name: "ensureOk", max: 4000, own: [] },
    { name: "parseChallenges", max: 1500, own: [] },
    { name: "createDigestFetch", max: 12_000, own: ["digest"] },
    { name: "paginate", max: 6000, own: ["pages"] },
    { name: "createAtlasFetch", max: 24_000, own: ["digest", "tokens"] },
  ]
) {
  test(`An import of ${name} bundles less than ${max} bytes, and of the parts only what it needs`, async () => {
    const { outputFiles: [file] } = await build({
      stdin: { contents: `export { ${name} } from "atlas-fetch";`, resolveDir: project },
      bundle: true,
      minify: true,
      write: false,
      format: "esm",
      platform: "node",
    });
    const text = file?.text ?? "";
    const found = Object.entries(WORDS).filter(([, word]) => text.includes(word)).map(([part]) => part);
    assert.deepEqual(found, own);
    assert.equal(text.includes('from"node:crypto"'), own.includes("digest"));
    assert.ok(text.length > 500 && text.length < max, `${text.length} bytes`);
  });
}

test("What README and the other papers link to is in the package", async () => {
  const missing: string[] = [];
  for (const paper of ["README.md", ...papers].filter((paper) => /^[^/]+\.md$/.test(paper))) {
    const text = await readFile(join(installed, paper), "utf8");
    for (const [, target = ""] of text.replace(/^```.*?^```/gms, "").matchAll(/(?:\]\(|\bsrc=")([^)"\s]+)/g)) {
      const isAbsolute = /^https:/.test(target);
      const [file = "", id] = target.split("#");
      const isThere = isAbsolute || existsSync(join(installed, file));
      const hasId = !id || file !== "" || text.includes(`id="${id}"`) || headings(text).includes(id);
      if (!isThere || !hasId) missing.push(`${paper}: ${target}`);
    }
  }
  assert.deepEqual(missing, []);
});

/** The ids that GitHub and npm give to headings. */
function headings(text: string): string[] {
  return [...text.matchAll(/^#+ (.*)$/gm)].map(([, heading = ""]) => {
    return heading.toLowerCase().replace(/[^\w\- ]/g, "").replaceAll(" ", "-");
  });
}

// Types -----------------------------------------------------------------------------------------

const resolutions = [
  { name: "nodenext", options: { module: "nodenext" } },
  { name: "bundler", options: { module: "esnext", moduleResolution: "bundler" } },
];
const programs = ["consumer.ts", "testing_consumer.ts"];

for (const [index, surrounding] of surroundings.entries()) {
  const project = await consumer(`consumer-${index}`);
  const files = programs.map((file) => file.replace(".ts", ".mts"));
  for (const file of programs) {
    await cp(new URL(`types/${file}`, import.meta.url), join(project, file.replace(".ts", ".mts")));
  }
  if (surrounding.hasNode) await addNodeTypes(project);
  for (const compiler of compilers) {
    for (const resolution of resolutions) {
      const title = `The types compile ${surrounding.name}, under ${compiler.name} and ${resolution.name}`;
      await whereInstalled(title, [compiler.tsc], () => {
        test(title, async () => {
          const options = { ...surrounding.options, ...resolution.options };
          assert.equal(await compile(compiler, project, options, files), "");
        });
      });
    }
  }
}

test("The types compile under TypeScript 5.9 with --module commonjs, and what it makes of imports runs", async () => {
  const project = await consumer("commonjs");
  for (const file of programs) await cp(new URL(`types/${file}`, import.meta.url), join(project, file));
  await writeFile(join(project, "call.ts"), script((name, entry) => `import { ${name} } from "${entry}";`));
  const options = { ...surroundings[0]?.options, module: "commonjs", noEmit: false };
  assert.equal(await compile(typescript5, project, options, [...programs, "call.ts"]), "");
  assert.match(await runIn(project, process.execPath, ["call.js"]), /^200 200$/m);
});

for (const compiler of compilers) {
  const title = `The types need these globals of the web and no others, says ${compiler.name}`;
  await whereInstalled(title, [compiler.tsc], () => {
    test(title, async () => {
      const imports = entries.map((entry) => `export * from "${entry}";\n`).join("");
      await writeFile(join(project, "globals.mts"), imports.replace(/.*digest";\n/, ""));
      const options = { lib: ["es2022"], types: [], module: "nodenext" };
      const output = await compile(compiler, project, options, ["globals.mts"]);
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

test("JSR and npm get the same papers", async () => {
  const { publish } = JSON.parse(await readFile(join(root, "deno.json"), "utf8"));
  assert.deepEqual(publish.include, ["mod.ts", "lib", "README.md", "LICENSE", ...papers]);
});

await whereInstalled("JSR would take the package", [deno], () => {
  test("JSR would take the package, with no slow types", async () => {
    const output = await runIn(source, deno, ["publish", "--dry-run", "--allow-dirty", "--quiet"]);
    assert.doesNotMatch(output, /slow.type|warning|error/i);
  });

  test("deno doc --lint misses no documentation", async () => {
    await runIn(source, deno, ["doc", "--lint", "--quiet", "mod.ts", "lib/digest/mod.ts", "lib/testing.ts"]);
  });

  test("deno task start asks the fake Atlas where no credentials are set", async () => {
    const said = await runIn(source, deno, ["task", "--quiet", "start"]);
    assert.match(said, /fake/);
    assert.match(said, /"links"/);
  });

  test("The examples in README and in the docstrings compile", async () => {
    const sources = (await filesBelow(join(source, "lib"))).map((file) => `lib/${file}`);
    await runIn(source, deno, ["check", "--doc", "--quiet", "README.md", "mod.ts", ...sources]);
  });
});

// Supply chain ----------------------------------------------------------------------------------

for (const folder of [".", "test/interop"]) {
  const read = async (name: string) => JSON.parse(await readFile(join(root, folder, name), "utf8"));
  const { dependencies, devDependencies, optionalDependencies, allowScripts } = await read("package.json");
  const lockfile: { packages: Record<string, Locked> } = await read("package-lock.json");
  const locked = Object.entries(lockfile.packages).filter(([path]) => path !== "");

  test(`Each dependency of ${folder} is of one exact version, and the lockfile names no registry`, () => {
    const versions = Object.values<string>({ ...dependencies, ...devDependencies, ...optionalDependencies });
    for (const version of versions) assert.match(version, /^(npm:[\w@/-]+@)?\d+\.\d+\.\d+$/);
    assert.deepEqual(locked.filter(([, { resolved }]) => resolved !== undefined), []);
  });

  test(`npm ci in ${folder} works on other platforms, and leaves no install script to be judged`, () => {
    const isBound = ({ os, cpu }: Locked) =>
      ![os ?? "darwin"].flat().includes("darwin") || ![cpu ?? "arm64"].flat().includes("arm64");
    assert.deepEqual(locked.filter(([, one]) => isBound(one) && !one.optional), []);
    const scripts = locked.filter(([, { hasInstallScript, optional }]) => hasInstallScript && !optional);
    const names = scripts.map(([path]) => path.replace(/.*node_modules\//, "")).sort();
    assert.deepEqual(Object.keys(allowScripts).sort(), names);
  });
}

/** What a lockfile says of a package. */
interface Locked {
  resolved?: string;
  optional?: boolean;
  hasInstallScript?: boolean;
  os?: string | string[];
  cpu?: string | string[];
}

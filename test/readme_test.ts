import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

const run = promisify(execFile);
const root = fileURLToPath(new URL("..", import.meta.url));
const readme = await readFile(join(root, "README.md"), "utf8");
const isDeno = "Deno" in globalThis;
const isBun = "Bun" in globalThis;

interface Snippet {
  name: string;
  code: string;
  runs: boolean;
}

/** The TypeScript of README: blocks marked `no-run` are only type-checked, `ignore` needs a package of interop's. */
const snippets: Snippet[] = [...readme.matchAll(/^```ts( no-run)?\n(.*?)^```$/gms)].map((
  [, mark, code = ""],
  index,
) => ({
  name: `snippet_${index}.ts`,
  code: local(code),
  runs: mark === undefined,
}));

/** The same with our source for the package. The folder they are written to is in test/. */
function local(code: string): string {
  return code
    .replace('from "atlas-fetch/testing"', 'from "../../lib/testing.ts"')
    .replace('from "atlas-fetch/digest"', 'from "../../lib/digest/mod.ts"')
    .replace('from "atlas-fetch"', 'from "../../mod.ts"');
}

async function withSnippets(use: (folder: string) => Promise<void>): Promise<void> {
  const folder = await mkdtemp(join(root, "test", ".readme-"));
  try {
    for (const { name, code } of snippets) await writeFile(join(folder, name), code);
    await use(folder);
  } finally {
    await rm(folder, { recursive: true });
  }
}

test("README names the two commands and both ways in", () => {
  for (
    const command of ["npm ci && npm start", "npm ci && npm test", "npm install atlas-fetch", "deno add", "bun add"]
  ) {
    assert.ok(readme.includes(command), command);
  }
  const program = readme.split("\n").findIndex((line) => line.includes("await atlasFetch("));
  assert.ok(program > 0 && program < 15, "a program that works within the first 15 lines");
});

test("README takes at most 1,900 words outside of code", () => {
  const words = readme.replace(/^```.*?^```$/gms, "").split(/\s+/).filter(Boolean);
  assert.ok(words.length <= 1900, String(words.length));
});

test("README names each export", async () => {
  const exported = [...Object.keys(await import("../mod.ts")), ...Object.keys(await import("../lib/testing.ts"))];
  const [, table = ""] = /^## All exports\n(.*?)^## /ms.exec(readme) ?? [];
  for (const name of exported) assert.ok(table.includes(`\`${name}`), name);
});

test("README's recipes are at most ten lines", () => {
  const [, recipes = ""] = /^## Recipes\n(.*?)^## /ms.exec(readme) ?? [];
  const blocks = [...recipes.matchAll(/^```ts.*?\n(.*?)^```$/gms)].map(([, code = ""]) => code.trim().split("\n"));
  assert.ok(blocks.length >= 8);
  for (const lines of blocks) assert.ok(lines.filter((line) => line !== "").length <= 10, lines.join("\n"));
});

test("README's snippets pass the type check", async (t) => {
  if (isDeno || isBun) return t.skip("tsc runs on Node; Deno checks them with deno check --doc");
  await withSnippets(async (folder) => {
    const tsconfig = {
      extends: "../tsconfig.json",
      compilerOptions: { rootDir: "../..", noUnusedLocals: false },
      include: ["*.ts"],
    };
    await writeFile(join(folder, "tsconfig.json"), JSON.stringify(tsconfig));
    const tsc = join(root, "node_modules", "typescript", "bin", "tsc");
    const { stdout } = await run(process.execPath, [tsc, "-p", folder], { cwd: root });
    assert.equal(stdout, "");
  });
});

test("README's snippets run, and say what they say they do", async () => {
  const running = snippets.filter(({ runs }) => runs);
  await withSnippets(async (folder) => {
    // All in one process, each behind a line with its name.
    const program = ['import "../readme_preload.ts";', ...running.map(({ name }) => `await run("${name}");`)];
    program.push("async function run(name: string) {", 'console.log("---", name);', "await import(`./${name}`);", "}");
    await writeFile(join(folder, "all.ts"), program.join("\n"));
    // On Node as the tests themselves are run: through tsx, or with the types stripped.
    const options = isDeno
      ? ["run", "-A", "--no-check"]
      : isBun
      ? ["run"]
      : process.execArgv.filter((it) => !it.startsWith("--test"));
    const { stdout } = await run(process.execPath, [...options, join(folder, "all.ts")], {
      cwd: folder,
      env: {
        ...process.env,
        MONGODB_ATLAS_CLIENT_ID: "mdb_sa_id_65f1c0de0000000000000009",
        MONGODB_ATLAS_CLIENT_SECRET: "mdb_sa_sk_secret",
        MONGODB_ATLAS_PROJECT_ID: "65f1c0de0000000000000002",
        HOST_NAME: "cluster0-shard-00-00.example.net",
      },
    });
    const [, ...outputs] = stdout.split(/^--- .*\n/m);
    assert.equal(outputs.length, running.length);
    for (const [index, { name, code }] of running.entries()) {
      const output = outputs[index] ?? "";
      const [, expected] = /console\.log\(.*\); \/\/ ([\d ]+):/.exec(code) ?? [];
      if (expected !== undefined) assert.equal(output.trim(), expected, name);
      else assert.equal(output !== "", code.includes("console.log("), `${name} prints`);
    }
    assert.equal((await readFile(join(folder, "mongodb.gz"))).subarray(0, 2).toString("hex"), "1f8b");
    assert.match(await readFile(join(folder, ".atlas-token"), "utf8"), /\{"http\S+ mdb_sa_id_\w+":"\{\\"token/);
  });
});

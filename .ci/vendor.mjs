/**
 * Writes the root entry as one file to vendor, with its checksum: `node .ci/vendor.mjs [folder]`, by default `dist`.
 *
 * It puts what tsc emits one module after the other, those imported first, without the imports and exports between
 * them; a name that an earlier module has declared gets a number. No bundler, since they drop the docstrings, but one as
 * judge: what esbuild makes of the file must be what it makes of the modules.
 */
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join, relative, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const IMPORT = /^import \{([^}]*)\} from "([^"]+)";\n/gm;
const RE_EXPORT = /^export \{([^}]*)\} from "([^"]+)";\n/gm;
const DECLARATION = /^(?:export )?(?:(?:async )?function\*?|class|const|let) ([\w$]+)/gm;

const root = fileURLToPath(new URL("..", import.meta.url));
const folder = resolve(process.argv[2] ?? join(root, "dist"));
const { version } = JSON.parse(
  await readFile(join(root, "package.json"), "utf8"),
);
const built = await mkdtemp(join(tmpdir(), "atlas-fetch-vendor-"));
try {
  execFileSync(process.execPath, [
    join(root, "node_modules/typescript/bin/tsc"),
    "-p",
    root,
    "--outDir",
    built,
  ]);
  const entry = join(built, "mod.js");
  const text = await concatenate(entry);
  if (await bundled(text) !== await bundled(await readFile(entry, "utf8"))) {
    throw new Error(
      "The file is not what the modules are: is there a new form of import, export or declaration?",
    );
  }
  const sum = createHash("sha256").update(text).digest("hex");
  await mkdir(folder, { recursive: true });
  await writeFile(join(folder, "atlas-fetch.mjs"), text);
  await writeFile(
    join(folder, "atlas-fetch.mjs.sha256"),
    `${sum}  atlas-fetch.mjs\n`,
  );
  console.log(
    `${sum}  ${relative(process.cwd(), join(folder, "atlas-fetch.mjs"))}`,
  );
} finally {
  await rm(built, { recursive: true });
}

async function concatenate(entry) {
  const parts = new Map(); // by file, those imported first
  const declared = new Set();
  const builtins = new Map(); // names, by module
  await add(entry);
  const source = await readFile(entry, "utf8");
  const names = [...source.matchAll(RE_EXPORT)].flatMap(([, list]) => namesOf(list));
  for (const name of names) {
    if (!declared.has(name)) {
      throw new Error(`${name} is exported, but declared nowhere`);
    }
  }
  const imports = [...builtins].sort().map(([module, used]) => {
    return `import { ${[...new Set(used)].sort().join(", ")} } from "${module}";\n`;
  });
  return [
    await header(),
    parts.get("mod.ts"), // all that is left of it is its docstring
    imports.join(""),
    ...[...parts].filter(([file]) => file !== "mod.ts").map(([file, text]) => `// --- ${file}\n\n${text}`),
    `export {\n${names.sort().map((name) => `  ${name},\n`).join("")}};\n`,
  ].filter(Boolean).join("\n");

  async function add(file) {
    const name = relative(built, file).replace(/\.js$/, ".ts");
    if (parts.has(name)) return;
    parts.set(name, ""); // a module in a circle of imports is not added twice
    const source = await readFile(file, "utf8");
    for (
      const [, list, module] of [
        ...source.matchAll(IMPORT),
        ...source.matchAll(RE_EXPORT),
      ]
    ) {
      if (module.startsWith(".")) await add(join(dirname(file), module));
      else {builtins.set(module, [
          ...builtins.get(module) ?? [],
          ...namesOf(list),
        ]);}
    }
    parts.delete(name); // behind what it imports
    let body = source.replace(IMPORT, "").replace(RE_EXPORT, "").replace(
      /^export (?=\w)/gm,
      "",
    ).trim();
    for (const [, declaration] of body.matchAll(DECLARATION)) {
      if (declaration in globalThis) {
        throw new Error(
          `${declaration} in ${name} would hide the global: rename it`,
        );
      }
      if (declared.has(declaration)) body = renamed(body, declaration);
      declared.add(declaration);
    }
    parts.set(name, `${spaced(body)}\n`);
  }
}

/** Only where it stands alone: the bundler tells if that was not enough. */
function renamed(body, name) {
  return body.replace(
    new RegExp(`(?<![\\w$.])${name}(?=[();,])`, "g"),
    `${name}2`,
  );
}

/** What esbuild makes of a module in the folder that was built, without comments and imports, which it does not merge. */
async function bundled(contents) {
  const { outputFiles: [file] } = await build({
    stdin: { contents, resolveDir: built },
    bundle: true,
    write: false,
    format: "esm",
    platform: "node",
    legalComments: "none",
  });
  return file.text.replace(/^import .*\n|^\/\/ .*\n|^\n/gm, "").trim();
}

function namesOf(list) {
  const names = list.split(",").map((name) => name.trim()).filter(Boolean);
  for (const name of names) {
    if (/\s/.test(name)) {
      throw new Error(`Cannot import or export under another name: ${name}`);
    }
  }
  return names;
}

/** tsc drops the blank lines: one around each function, class and docstring at the top reads better. */
function spaced(body) {
  return body.replace(
    /\n(?=\/\*\*)|(?<=\n\}.*)\n(?=\S)|(?<!\*\/)\n(?=(?:async )?function|class )/g,
    "\n\n",
  );
}

async function header() {
  const licence = (await readFile(join(root, "LICENSE"), "utf8")).trim();
  const text = `atlas-fetch ${version}, the root entry in one file

Made by \`npm run vendor\` from the sources of that version. To verify: \`sha256sum -c atlas-fetch.mjs.sha256\`; or make
it again, it comes out the same to the byte: check out the tag v${version}, then \`npm ci --ignore-scripts && npm run
vendor\`. Runs as it is on Node >= 20.19, Deno, Bun and Workers with nodejs_compat.

${licence}`;
  return `/*!\n${text.split("\n").map((line) => ` * ${line}`.trimEnd()).join("\n")}\n */\n`;
}

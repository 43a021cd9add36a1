/**
 * Writes the root entry as one file to vendor, its types beside it, and the checksums of both:
 * `node .ci/vendor.mjs [folder]`, by default `dist`.
 *
 * It puts what tsc emits one module after the other, those imported first, without the imports and exports between
 * them; a name that an earlier module has declared gets a number. The types are what tsc makes of the sources, put
 * together likewise. No bundler, since they drop the docstrings, but one as judge: what esbuild makes of the file must
 * be what it makes of the modules.
 */
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, posix, relative, resolve } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const IMPORT = /^import (type )?\{([^}]*)\} from "([^"]+)";\n/gm;
const RE_EXPORT = /^export (type )?\{([^}]*)\} from "([^"]+)";\n/gm;
const DECLARATION = /^(?:async )?(function|class|const|let|interface|type)\*? ([\w$]+)/gm;
const DESTRUCTURING = /^(?:const|let) [{[]([^=]*)[}\]] = /gm;

const root = fileURLToPath(new URL("..", import.meta.url));
const { version } = JSON.parse(await readFile(join(root, "package.json"), "utf8"));
const folder = resolve(process.argv[2] ?? join(root, "dist"));
const work = await mkdtemp(join(tmpdir(), "atlas-fetch-vendor-"));
try {
  const modules = join(work, "modules");
  tsc("-p", root, "--outDir", modules);
  const script = await header() + formatted(await concatenated(modules, "mod.js"));
  if (await bundled(script) !== await bundled('export * from "./modules/mod.js";')) {
    throw new Error("The file is not what the modules are: is there a new form of import, export or declaration?");
  }

  await writeFile(join(work, "atlas-fetch.mts"), await concatenated(root, "mod.ts"));
  await writeFile(join(work, "tsconfig.json"), await configuration());
  tsc("-p", work, "--emitDeclarationOnly");
  const types = await header() + formatted(await readFile(join(work, "atlas-fetch.d.mts"), "utf8"));

  const sums = `${sha256(script)}  atlas-fetch.mjs\n${sha256(types)}  atlas-fetch.d.mts\n`;
  await mkdir(folder, { recursive: true });
  await writeFile(join(folder, "atlas-fetch.mjs"), script);
  await writeFile(join(folder, "atlas-fetch.d.mts"), types);
  await writeFile(join(folder, "atlas-fetch.mjs.sha256"), sums);
  console.log(`${sums}in ${relative(process.cwd(), folder) || "."}`);
} finally {
  await rm(work, { recursive: true });
}

/** An entry and all that it imports, as one module that exports what the entry does. */
async function concatenated(folder, entry) {
  const sources = new Map(); // those imported first
  const builtins = new Map(); // names, by module
  const declared = new Set();

  async function add(module) {
    if (sources.has(module)) return; // in a circle of imports too
    const source = await readFile(join(folder, module), "utf8");
    sources.set(module, source);
    for (const [, onlyTypes, list, specifier] of [...source.matchAll(IMPORT), ...source.matchAll(RE_EXPORT)]) {
      if (onlyTypes) continue;
      if (specifier.startsWith(".")) await add(posix.join(posix.dirname(module), specifier));
      else builtins.set(specifier, [...builtins.get(specifier) ?? [], ...namesIn(list)]);
    }
    sources.delete(module); // behind what it imports
    sources.set(module, source);
  }

  function declarations(module) {
    let text = sources.get(module).replace(IMPORT, "").replace(RE_EXPORT, "").replace(/^export (?=\w)/gm, "").trim();
    const single = [...text.matchAll(DECLARATION)].map(([, kind, name]) => ({ kind, name }));
    const destructured = [...text.matchAll(DESTRUCTURING)].flatMap(([, list]) => namesIn(list)).map((name) => ({
      name,
    }));
    for (const { kind, name } of [...single, ...destructured]) {
      if (name in globalThis) throw new Error(`${name} in ${module} would hide the global: rename it`);
      const isType = kind === "interface" || kind === "type"; // two interfaces of one name would be merged
      if (declared.has(name) && isType) throw new Error(`${name} in ${module} is the name of another type: rename it`);
      let free = name;
      for (let number = 2; declared.has(free); number++) free = name + number;
      if (free !== name) text = renamed(text, name, free);
      declared.add(free);
    }
    return text;
  }

  await add(entry);
  const docstring = declarations(entry); // all that is left of it
  const others = [...sources.keys()].filter((module) => module !== entry).map((module) => {
    return `// --- ${module.replace(/\.js$/, ".ts")}\n\n${declarations(module)}\n`;
  });
  const imports = [...builtins].sort().map(([module, names]) => {
    return `import { ${[...new Set(names)].sort().join(", ")} } from "${module}";\n`;
  });
  const exported = [...sources.get(entry).matchAll(RE_EXPORT)].flatMap(([, onlyTypes, list]) => {
    return namesIn(list).map((name) => onlyTypes ? `type ${name}` : name);
  });
  const exports = `export { ${exported.sort().join(", ")} };\n`;
  return [`${docstring}\n`, imports.join(""), ...others, exports].join("\n");
}

function namesIn(list) {
  const names = list.split(",").map((name) => name.trim()).filter(Boolean);
  const other = names.find((name) => /(?<!^type) /.test(name));
  if (other) throw new Error(`Cannot read "${other}": import, export or declare it by its name alone`);
  return names;
}

/** Where it stands alone, as words in comments do not: the judge tells if that was not enough. */
function renamed(text, name, free) {
  return text.replace(new RegExp(`(?<=^|[^\\w$.]|\\.{3})${name}(?=[()<;,]| =)`, "g"), free);
}

/** That of the sources, for one file elsewhere, in which what only the command imports is unused. */
async function configuration() {
  const { compilerOptions } = JSON.parse(await readFile(join(root, "tsconfig.json"), "utf8"));
  Object.assign(compilerOptions, {
    outDir: ".",
    typeRoots: [join(root, "node_modules/@types")],
    noUnusedLocals: false,
  });
  return JSON.stringify({ compilerOptions, files: ["atlas-fetch.mts"] });
}

function tsc(...args) {
  execFileSync(process.execPath, [join(root, "node_modules/typescript/bin/tsc"), ...args], { stdio: ["ignore", 2, 2] });
}

/** What esbuild makes of a module, without comments and imports, which it does not merge. */
async function bundled(contents) {
  const { outputFiles: [file] } = await build({
    stdin: { contents, resolveDir: work },
    bundle: true,
    write: false,
    format: "esm",
    platform: "node",
    legalComments: "none",
  });
  return file.text.replace(/^import .*\n|^\/\/ .*\n|^\n/gm, "").trim();
}

/** As the sources are: a blank line around what spans several, a line for each name of the exports, two blanks a step. */
function formatted(text) {
  return text
    .replace(/\n(?=\/\*\*)|(?<=\n\}.*)\n(?=\S)|(?<!\*\/)\n(?=(?:async )?function|class )/g, "\n\n")
    .replace(/\n{3,}/g, "\n\n")
    .replace(/^export \{ (.*?),? \};/m, (_, names) => `export {\n  ${names.split(", ").join(",\n  ")},\n};`)
    .replace(/^(?: {4})+/gm, (indent) => " ".repeat(indent.length / 2));
}

async function header() {
  const licence = (await readFile(join(root, "LICENSE"), "utf8")).trim();
  const text = `atlas-fetch ${version}, the root entry in one file

Made by \`npm run vendor\` from the sources of that version. To verify: \`sha256sum -c atlas-fetch.mjs.sha256\`; or make
it again, it comes out the same to the byte: check out the tag v${version}, then \`npm ci --ignore-scripts && npm run
vendor\`. Runs as it is on Node >= 20.19, Deno, Bun and Workers with nodejs_compat.

${licence}`;
  return `/*!\n${text.split("\n").map((line) => ` * ${line}`.trimEnd()).join("\n")}\n */\n\n`;
}

function sha256(text) {
  return createHash("sha256").update(text).digest("hex");
}

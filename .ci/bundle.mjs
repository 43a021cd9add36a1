/**
 * Writes the JavaScript of the package to `dist`, behind tsc, which writes the types: each entry, and what entries share.
 *
 * Not one file for each module, since each costs a cold start 0.3 per cent. That stack traces tell the modules all the
 * same, there are source maps, without the sources: `node --enable-source-maps` names `lib/digest/digest_fetch.ts`.
 */
import { mkdir, writeFile } from "node:fs/promises";
import { basename, dirname } from "node:path";
import { build } from "esbuild";

const ENTRIES = ["mod.ts", "lib/digest/mod.ts", "lib/testing.ts", "lib/cli.ts"];
/** What entries share is named after the one of these that is in it: esbuild names it by a hash. */
const SHARED = ["lib/atlas_fetch.ts", "lib/digest/digest_fetch.ts"];

const { metafile, outputFiles } = await build({
  entryPoints: ENTRIES,
  bundle: true,
  splitting: true,
  format: "esm",
  platform: "node",
  target: "es2022",
  outdir: "dist",
  outbase: ".",
  chunkNames: "lib/[name]-[hash]",
  sourcemap: true,
  sourcesContent: false,
  metafile: true,
  write: false,
});

const names = new Map();
for (const [file, { inputs }] of Object.entries(metafile.outputs)) {
  const [chunk] = /chunk-\w+/.exec(file) ?? [];
  const module = SHARED.find((module) => module in inputs);
  if (chunk && module) names.set(chunk, basename(module, ".ts"));
}
const renamed = (text) => text.replace(/chunk-\w+/g, (chunk) => names.get(chunk) ?? chunk);
for (const { path, text } of outputFiles) {
  await mkdir(dirname(path), { recursive: true });
  await writeFile(renamed(path), withOwnNames(renamed(text)));
}

/** esbuild gives a number to a function that has the name of a variable around it: console.log would show that. */
function withOwnNames(text) {
  return text.replace(/(?<=\breturn (?:async )?function )(\w+)\d(?=\()/g, (numbered, name) => {
    const isCalledInside = text.split(numbered).length > 2;
    return isCalledInside ? numbered : name;
  });
}

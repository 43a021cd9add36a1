/** What a client adds to a project: packages, bytes on disk, bytes in a bundle. */
import { readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { build } from "esbuild";
import { here } from "../processes.mjs";

export async function measureSize({ clients }) {
  const rows = [];
  for (const client of clients.filter(({ packages }) => packages.length > 0)) {
    const folders = new Set();
    for (const name of client.packages) closure(here("."), name, folders);
    const bundle = await bundled(client.id);
    rows.push({
      client: client.id,
      packages: folders.size,
      installedBytes: [...folders].reduce((sum, folder) => sum + bytesOf(folder), 0),
      bundledBytes: bundle.length,
      gzippedBytes: gzipSync(bundle, { level: 9 }).length,
    });
  }
  return rows;
}

/** The folders of a package and all that it depends on, found from `from` upward as Node finds them. */
function closure(from, name, folders) {
  let base = from;
  while (statSync(join(base, "node_modules", name), { throwIfNoEntry: false }) === undefined) {
    const parent = join(base, "..");
    if (parent === base) return; // an optional peer that is not installed
    base = parent;
  }
  const folder = join(base, "node_modules", name);
  if (folders.has(folder)) return;
  folders.add(folder);
  const { dependencies = {} } = JSON.parse(readFileSync(join(folder, "package.json"), "utf8"));
  for (const dependency of Object.keys(dependencies)) {
    closure(folder, dependency, folders);
  }
}

function bytesOf(folder) {
  return readdirSync(folder, { withFileTypes: true })
    .filter(({ name }) => name !== "node_modules")
    .reduce((sum, entry) => {
      const path = join(folder, entry.name);
      return sum + (entry.isDirectory() ? bytesOf(path) : statSync(path).size);
    }, 0);
}

/** The client's own bench file, bundled for Node and minified: a few lines of ours, then all of theirs. */
async function bundled(id) {
  const { outputFiles: [file] } = await build({
    entryPoints: [here(`clients/${id}.mjs`)],
    bundle: true,
    minify: true,
    platform: "node",
    format: "esm",
    external: ["node-fetch"], // digest-fetch looks for it only where there is no fetch
    write: false,
    logLevel: "error",
  });
  return file.contents;
}

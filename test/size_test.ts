import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import test from "node:test";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import { build } from "esbuild";

/**
 * The most that an entry may weigh in bytes, bundled and minified: what it weighs today, so that it grows by decision
 * only.
 */
const LIMITS = [
  { entry: "mod.ts", minified: 23_350, gzipped: 10_100 },
  { entry: "lib/digest/mod.ts", minified: 10_450, gzipped: 4_800 },
];

for (const { entry, minified, gzipped } of LIMITS) {
  test(`${entry} weighs at most ${minified} bytes minified and ${gzipped} gzipped`, async () => {
    const sizes = await measure(entry);
    console.log(`${entry}: ${sizes.minified} bytes minified, ${sizes.gzipped} gzipped`);
    assert.ok(sizes.minified <= minified && sizes.gzipped <= gzipped, `It weighs ${JSON.stringify(sizes)}`);
  });
}

test("README's first sentence says what the root entry weighs", async () => {
  const { minified, gzipped } = await measure("mod.ts");
  const kB = (bytes: number) => `${(bytes / 1000).toFixed(1)} kB`;
  const readme = await readFile(new URL("../README.md", import.meta.url), "utf8");
  assert.ok(readme.includes(`${kB(minified)} minified (${kB(gzipped)} gzipped)`), `${kB(minified)}, ${kB(gzipped)}`);
});

async function measure(entry: string): Promise<{ minified: number; gzipped: number }> {
  const { outputFiles: [file] } = await build({
    entryPoints: [fileURLToPath(new URL(`../${entry}`, import.meta.url))],
    bundle: true,
    minify: true,
    write: false,
    format: "esm",
    target: "es2022",
    external: ["node:*"],
  });
  assert.ok(file);
  return { minified: file.contents.length, gzipped: gzipSync(file.contents, { level: 9 }).length };
}

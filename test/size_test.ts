import test from "node:test";
import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import { build } from "esbuild";

/** The most that an entry may weigh in bytes, bundled and minified. */
const LIMITS = [
  { entry: "mod.ts", minified: 14_000, gzipped: 5_800 },
  { entry: "lib/digest/mod.ts", minified: 7_000, gzipped: 3_100 },
];

for (const { entry, minified, gzipped } of LIMITS) {
  test(`${entry} weighs at most ${minified} bytes minified and ${gzipped} gzipped`, async () => {
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
    const sizes = { minified: file.contents.length, gzipped: gzipSync(file.contents, { level: 9 }).length };
    console.log(`${entry}: ${sizes.minified} bytes minified, ${sizes.gzipped} gzipped`);
    assert.ok(sizes.minified <= minified && sizes.gzipped <= gzipped, `It weighs ${JSON.stringify(sizes)}`);
  });
}

/**
 * Runs Deno, that of test/interop or else the one in PATH: `node .ci/deno.mjs fmt`. Where there is none, it says so: that
 * fails under CI=true only.
 */
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import process from "node:process";
import { fileURLToPath } from "node:url";

const installed = fileURLToPath(new URL("../test/interop/node_modules/deno/deno", import.meta.url));
const args = process.argv.slice(2);
const { error, status } = spawnSync(existsSync(installed) ? installed : "deno", args, { stdio: "inherit" });
if (error) {
  console.error(`Skipped: deno ${args.join(" ")}: Deno is not installed (${error.message})`);
  process.exitCode = process.env.CI === "true" ? 1 : 0;
} else {
  process.exitCode = status ?? 1;
}

/** What the machine may lack, and how the programs that it has are run. */

import test from "node:test";
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { delimiter, join } from "node:path";
import { promisify } from "node:util";

/** PATH, and where Debian keeps its servers: only root's PATH holds that. */
export const path: string = [process.env.PATH, "/usr/sbin"].join(delimiter);

/**
 * Runs `define` if each of `programs` (a name to be found in PATH, or a file) is there. If not, one
 * skipped test says why; under `CI=true` it fails.
 */
export async function whereInstalled(
  title: string,
  programs: readonly string[],
  define: () => void | Promise<void>,
): Promise<void> {
  const missing = programs.filter((program) => !isInstalled(program));
  if (missing.length === 0) return await define();
  const reason = `not installed: ${missing.join(", ")}`;
  if (process.env.CI === "true") {
    return void test(title, () => assert.fail(reason));
  }
  console.log(`Skipped: ${title}: ${reason}`);
  test(title, { skip: reason }, () => {});
}

/** What a program printed. It rejects when the program fails. */
export async function run(
  program: string,
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Promise<string> {
  // Of our own environment only what programs need to start: no proxy, no credentials.
  const needed = { PATH: path, HOME: process.env.HOME ?? "/", LANG: "C.UTF-8" };
  const { stdout } = await promisify(execFile)(program, [...args], { env: { ...needed, ...env } });
  return stdout;
}

function isInstalled(program: string): boolean {
  if (program.includes("/")) return existsSync(program);
  return path.split(delimiter).some((folder) => existsSync(join(folder, program)));
}

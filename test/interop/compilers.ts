/** TypeScript as consumers have it: its versions, what is around it, how it resolves. */

import { mkdir, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { path, run } from "./programs.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));
const modules = join(root, "test/interop/node_modules");

export interface Compiler {
  readonly name: string;
  readonly tsc: string;
}

export type Options = Readonly<Record<string, unknown>>;

/** The last that resolves as CommonJS did before `exports`. */
export const typescript5: Compiler = { name: "TypeScript 5.9", tsc: join(modules, "typescript5/bin/tsc") };

export const compilers: readonly Compiler[] = [
  { name: "TypeScript 5.7", tsc: join(modules, "typescript/bin/tsc") },
  { name: "the current TypeScript", tsc: join(root, "node_modules/typescript/bin/tsc") },
];

export const surroundings: readonly { name: string; options: Options; hasNode: boolean }[] = [
  {
    name: "with DOM, without @types/node",
    options: { lib: ["es2022", "dom", "dom.iterable"], types: [] },
    hasNode: false,
  },
  { name: "with @types/node, without DOM", options: { lib: ["es2022"], types: ["node"] }, hasNode: true },
];

/** Makes our own @types/node a folder's. */
export async function addNodeTypes(folder: string): Promise<void> {
  await mkdir(join(folder, "node_modules/@types"), { recursive: true });
  for (const name of ["@types/node", "undici-types"]) {
    await symlink(join(root, "node_modules", name), join(folder, "node_modules", name));
  }
}

/** What the compiler says, without rejecting when that is not nothing. */
export async function compile({ tsc }: Compiler, folder: string, options: Options, files: string[]): Promise<string> {
  const compilerOptions = {
    target: "es2022",
    strict: true,
    exactOptionalPropertyTypes: true,
    noEmit: true,
    ...options,
  };
  await writeFile(join(folder, "tsconfig.json"), JSON.stringify({ compilerOptions, files }));
  const command = 'cd "$0" && "$1" "$2" --pretty false 2>&1 || true';
  return await run("/bin/sh", ["-c", command, folder, process.execPath, tsc], { PATH: path });
}

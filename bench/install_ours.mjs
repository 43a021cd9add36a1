/**
 * Packs atlas-fetch (which builds it) and installs the tarball here, so that it is measured as a user gets it: the
 * files that npm would publish, imported by their published names.
 */
import { execFileSync } from "node:child_process";
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { here } from "./processes.mjs";

export function installOurs() {
  const folder = mkdtempSync(join(tmpdir(), "atlas-fetch-"));
  try {
    npm(["pack", "--silent", "--pack-destination", folder], here(".."));
    const [tarball] = readdirSync(folder);
    npm(["install", "--silent", "--no-save", "--ignore-scripts", join(folder, tarball)], here("."));
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** Its words go to stderr: a build that fails says why there. */
function npm(args, cwd) {
  execFileSync("npm", args, { cwd, stdio: ["ignore", 2, 2] });
}

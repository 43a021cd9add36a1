import { createHash, randomUUID } from "node:crypto";
import { chmodSync, constants, mkdirSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { open } from "node:fs/promises";
import { posix, win32 } from "node:path";
import type { TokenStore } from "../token_source.ts";
import type { System } from "./system.ts";

/**
 * Keeps a service account's access tokens, so that a loop of commands mints one: each in a file that nobody else may
 * read, named by a hash that the secret is part of. Whatever fails here means a mint, and no more.
 */
export function createTokenCache(system: System, secret: string): TokenStore | undefined {
  const folder = cacheFolder(system);
  if (!folder || !system.mayKeep) return undefined;
  const fileOf = (key: string) => `${folder}/${createHash("sha256").update(`${key} ${secret}`).digest("hex")}`;
  return {
    async get(key) {
      // No link is followed, and a pipe does not block.
      const file = await open(fileOf(key), constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
      try {
        const { mode, uid } = await file.stat();
        const isPrivate = system.platform === "win32" || (uid === system.uid && (mode & 0o077) === 0);
        return isPrivate ? await file.readFile("utf8") : undefined;
      } finally {
        await file.close();
      }
    },
    // Without a pause, in which a signal could leave half of it.
    set(key, value) {
      mkdirSync(folder, { recursive: true, mode: 0o700 });
      chmodSync(folder, 0o700); // it may have been there
      const beside = `${folder}/${randomUUID()}`;
      writeFileSync(beside, value, { flag: "wx", mode: 0o600 });
      try {
        renameSync(beside, fileOf(key));
      } finally {
        rmSync(beside, { force: true });
      }
    },
  };
}

/** Where the platform has its caches; undefined without a home. */
function cacheFolder({ platform, env }: System): string | undefined {
  const { XDG_CACHE_HOME = "", HOME = "", LOCALAPPDATA = "" } = env;
  const usual = HOME && `${HOME}/${platform === "darwin" ? "Library/Caches" : ".cache"}`;
  const isWindows = platform === "win32";
  const parent = (isWindows ? [LOCALAPPDATA] : [XDG_CACHE_HOME, usual]).find((isWindows ? win32 : posix).isAbsolute);
  return parent && `${parent}/atlas-fetch`;
}

/** Who runs, under which name and version, and by which command. */
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import process from "node:process";
import { here } from "./processes.mjs";

const PYTHON = "/usr/bin/python3"; // Debian's, which has the packages; another may come first in PATH

/**
 * `id` names a client's file in clients/, `ours` the two doors of this package, `parallel` those that can make calls
 * at once, `packages` what a user installs for it.
 */
export function findClients() {
  const clients = [
    {
      ...node("fetch", "fetch"),
      version: `Node ${process.version}, undici ${process.versions.undici}`,
    },
    node("digest", "atlas-fetch/digest", ["atlas-fetch"]),
    node("atlas", "atlas-fetch", ["atlas-fetch"]),
    node("digest_fetch", "digest-fetch", ["digest-fetch"]),
    node("urllib", "urllib", ["urllib"]),
    node("mongodb_atlas_api_client", "mongodb-atlas-api-client", ["mongodb-atlas-api-client"]),
    node("axios_digest_auth", "@mhoc/axios-digest-auth", ["@mhoc/axios-digest-auth"]),
  ];
  const curl = firstLine("curl", ["--version"])?.split(" ")[1];
  if (curl !== undefined) {
    clients.push({
      ...outside("curl", "curl (command)", curl),
      command: [process.execPath, here("curl_worker.mjs")],
    });
  }
  for (const module of ["requests", "httpx"]) {
    const version = firstLine(PYTHON, [
      "-c",
      `import ${module}; print(${module}.__version__)`,
    ]);
    if (version === undefined) continue;
    clients.push({
      ...outside(module, `${module} (Python)`, version),
      command: [PYTHON, here("worker.py"), module],
    });
  }
  return clients;
}

/** The least that Digest can do; no client to choose, so it is in the timed sections only. */
export function floorClient() {
  return node("floor", "floor");
}

function node(id, name, packages = []) {
  return {
    id,
    name,
    packages,
    version: packages.length > 0 ? installedVersion(packages[0]) : undefined,
    command: [process.execPath, here("worker.mjs"), id],
    coldCommand: [process.execPath, here("cold.mjs"), id],
    parallel: true,
    ours: packages[0] === "atlas-fetch",
  };
}

function outside(id, name, version) {
  return { id, name, version, packages: [], parallel: false, ours: false };
}

function installedVersion(name) {
  return JSON.parse(readFileSync(here(`node_modules/${name}/package.json`), "utf8")).version;
}

function firstLine(command, args) {
  const { status, stdout } = spawnSync(command, args, { encoding: "utf8" });
  return status === 0 ? stdout.split("\n", 1)[0] : undefined;
}

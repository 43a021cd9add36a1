/**
 * Stoplight Prism: it answers as an OpenAPI document says, behind Apache, which asks for Digest; or it stands in front
 * of a server and judges what that answers.
 */

import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { once } from "node:events";
import { chmod, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import type { ApiKey } from "../../mod.ts";
import { path } from "./programs.ts";
import { findFreePort, isListening } from "./servers.ts";

const modules = fileURLToPath(new URL("node_modules", import.meta.url));
/** It wants a newer Node than the oldest that we support. */
const node = join(modules, "node24/bin/node");
const prism = join(modules, "@stoplight/prism-cli/dist/index.js");

/** What must be installed for `startPrism`, and for `startJudge`. */
export const prismPrograms: string[] = ["apache2", node, prism];
export const judgePrograms: string[] = [node, prism];

/** Serves the document to whoever has the key. */
export async function startPrism(document: string, key: ApiKey): Promise<{ url: string; stop(): Promise<void> }> {
  const folder = await mkdtemp(join(tmpdir(), "atlas-fetch-prism-"));
  await chmod(folder, 0o755); // Apache, if started by root, reads it as www-data
  const realm = "MMS Public API";
  const hash = createHash("md5").update(`${key.publicKey}:${realm}:${key.privateKey}`).digest("hex");
  await writeFile(join(folder, "users"), `${key.publicKey}:${realm}:${hash}\n`);

  const running: (() => Promise<void>)[] = [];
  async function stop(): Promise<void> {
    await Promise.all(running.map((end) => end()));
    await rm(folder, { recursive: true, force: true });
  }
  try {
    const target = await findFreePort();
    running.push(await start(node, [prism, "mock", "-p", `${target}`, "-h", "127.0.0.1", document], target, {}));
    const port = await findFreePort();
    const conf = fileURLToPath(new URL("prism.conf", import.meta.url));
    const env = { PORT: `${port}`, TARGET: `${target}`, DIR: folder };
    running.push(await start("apache2", ["-D", "FOREGROUND", "-f", conf], port, env));
    return { url: `http://127.0.0.1:${port}`, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** Passes requests on to a server; where an answer is not as the document says, it adds the header `sl-violations`. */
export async function startJudge(document: string, upstream: string): Promise<{ url: string; stop(): Promise<void> }> {
  const port = await findFreePort();
  const args = [prism, "proxy", "-p", `${port}`, "-h", "127.0.0.1", document, upstream];
  return { url: `http://127.0.0.1:${port}`, stop: await start(node, args, port, {}) };
}

/** Waits until the port is open; gives what ends the program. */
async function start(
  program: string,
  args: readonly string[],
  port: number,
  env: Readonly<Record<string, string>>,
): Promise<() => Promise<void>> {
  const child = spawn(program, [...args], { env: { PATH: path, ...env }, stdio: ["ignore", "ignore", "pipe"] });
  let complaint = "";
  child.stderr.on("data", (bytes: Uint8Array) => complaint += bytes);
  let running = true;
  const ended = once(child, "exit").catch((error: Error) => complaint += error).then(() => running = false);
  async function end(): Promise<void> {
    if (running) child.kill("SIGTERM");
    await ended;
  }
  // Prism takes 20 s to read Atlas's document.
  for (const deadline = Date.now() + 120_000; !await isListening(port); await sleep(100)) {
    if (running && Date.now() < deadline) continue;
    await end();
    throw new Error(`${program} did not start: ${complaint}`);
  }
  return end;
}

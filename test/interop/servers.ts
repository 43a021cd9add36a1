/** Apache and lighttpd as ordinary processes on 127.0.0.1, each in a temporary folder. */

import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { once } from "node:events";
import { chmod, copyFile, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { connect, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { listen } from "./front.ts";
import { path } from "./programs.ts";

export interface Server {
  readonly port: number;
  stop(): Promise<void>;
}

export interface Person {
  readonly username: string;
  readonly password: string;
}

/** They may sign in everywhere. */
export const ann: Person = { username: "ann", password: "open sesame" };
export const quoted: Person = { username: `Ann "the \\ slash" O'Hara`, password: `"\\",` };
export const foreign: Person = { username: "Zoë Łukasz ☃", password: "pässwörd €" };
const people = [ann, quoted, foreign];

export function startApache(config = "apache.conf"): Promise<Server> {
  const realm = "Interop, on Apache";
  const users = people.map(({ username, password }) =>
    `${username}:${realm}:${hash("md5", `${username}:${realm}:${password}`)}\n`
  );
  return start("apache2", ["-D", "FOREGROUND", "-f", resolve(config)], users);
}

export function startLighttpd(config = "lighttpd.conf"): Promise<Server> {
  const realm = "Interop, on lighttpd";
  const users = people.flatMap(({ username, password }) =>
    ["md5", "sha256"].map((algorithm) =>
      [
        // lighttpd looks a name up as it is sent, escapes and all.
        username.replaceAll(/["\\]/g, "\\$&"),
        realm,
        hash(algorithm, `${username}:${realm}:${password}`),
        hash(algorithm, `${username}:${realm}`),
      ].join(":") + "\n"
    )
  );
  return start("lighttpd", ["-D", "-f", resolve(config)], users);
}

async function start(program: string, args: readonly string[], users: readonly string[]): Promise<Server> {
  const folder = await mkdtemp(join(tmpdir(), `atlas-fetch-${program}-`));
  await chmod(folder, 0o755); // Apache, if started by root, reads it as www-data
  await copyFile(resolve("echo.cgi"), join(folder, "echo.cgi"));
  await chmod(join(folder, "echo.cgi"), 0o755);
  await writeFile(join(folder, "users"), users.join(""));

  const port = await findFreePort();
  const child = spawn(program, [...args], {
    env: { PATH: path, PORT: String(port), DIR: folder, CONFIG: resolve(".") },
    stdio: ["ignore", "ignore", "pipe"],
  });
  let complaint = "";
  child.stderr.on("data", (bytes: Uint8Array) => complaint += bytes);
  const ended = once(child, "exit");
  let running = true;
  ended.then(() => running = false, (error: Error) => {
    running = false;
    complaint += error;
  });

  async function stop(): Promise<void> {
    if (running) child.kill("SIGTERM");
    await ended.catch(() => {});
    await rm(folder, { recursive: true, force: true });
  }

  const deadline = Date.now() + 20_000;
  while (!await isListening(port)) {
    if (running && Date.now() < deadline) {
      await sleep(20);
      continue;
    }
    const log = await readFile(join(folder, "log"), "utf8").catch(() => "");
    await stop();
    throw new Error(`${program} did not start:\n${complaint}${log}`);
  }
  return { port, stop };
}

function resolve(file: string): string {
  return fileURLToPath(new URL(file, import.meta.url));
}

function hash(algorithm: string, text: string): string {
  return createHash(algorithm).update(text).digest("hex");
}

export async function findFreePort(): Promise<number> {
  const server = createServer();
  const port = await listen(server);
  server.close();
  await once(server, "close");
  return port;
}

export async function isListening(port: number): Promise<boolean> {
  const socket = connect(port, "127.0.0.1");
  try {
    await once(socket, "connect");
    return true;
  } catch {
    return false;
  } finally {
    socket.destroy();
  }
}

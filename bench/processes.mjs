/** The children of a run: the server and one worker a client. Each is ended by its own handle. */
import { fork, spawn } from "node:child_process";
import process from "node:process";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

const TASK_LIMIT_MS = 120_000;
const children = new Set();

function keep(child) {
  children.add(child);
  child.on("exit", () => children.delete(child));
  return child;
}

export function endAll() {
  for (const child of children) child.kill("SIGKILL");
}

export function here(name) {
  return fileURLToPath(new URL(name, import.meta.url));
}

/** The server: `listen(options)` -> { url, counts(), close() }. */
export function startServer(credentials) {
  const child = keep(fork(here("server.mjs"), { stdio: "inherit" }));
  const waiting = new Map();
  let lastId = 0;
  child.on("message", ({ id, result, error }) => {
    const { resolve, reject } = waiting.get(id);
    waiting.delete(id);
    if (error === undefined) resolve(result);
    else reject(new Error(`The server failed: ${error}`));
  });
  child.on("exit", () => {
    for (const { reject } of waiting.values()) {
      reject(new Error("The server process ended"));
    }
  });
  function ask(message) {
    const id = ++lastId;
    return new Promise((resolve, reject) => {
      waiting.set(id, { resolve, reject });
      child.send({ id, ...message });
    });
  }
  return {
    async listen(options) {
      const port = await ask({ task: "listen", options: { ...options, ...credentials } });
      return {
        url: `http://127.0.0.1:${port}/api/atlas/v2/groups`,
        counts: () => ask({ task: "counts", port }),
        close: () => ask({ task: "close", port }),
      };
    },
    end() {
      if (child.connected) child.disconnect(); // a server that has ended must not hide why the run fails
    },
  };
}

/** A worker: `ask({ task, ... })` -> the task's result. One task at a time. */
export function startWorker([command, ...args]) {
  const child = keep(spawn(command, args, { stdio: ["pipe", "pipe", "inherit"] }));
  const lines = createInterface({ input: child.stdout })
    [Symbol.asyncIterator]();
  return {
    async ask(message) {
      child.stdin.write(`${JSON.stringify(message)}\n`);
      const timer = setTimeout(() => child.kill("SIGKILL"), TASK_LIMIT_MS);
      const { value, done } = await lines.next();
      clearTimeout(timer);
      if (done) {
        throw new Error(`${args.join(" ")} ended in the task ${message.task}`);
      }
      const { result, error } = JSON.parse(value);
      if (error !== undefined) {
        throw new Error(`${args.join(" ")} failed: ${error}`);
      }
      return result;
    },
    end: () => child.stdin.end(),
  };
}

/** One process from its start to its end: its time in ms and the JSON that it printed. */
export function runOnce([command, ...args]) {
  const start = performance.now();
  const child = keep(spawn(command, args, { stdio: ["ignore", "pipe", "inherit"] }));
  const timer = setTimeout(() => child.kill("SIGKILL"), TASK_LIMIT_MS);
  let text = "";
  child.stdout.on("data", (chunk) => text += chunk);
  return new Promise((resolve, reject) => {
    child.on("error", reject);
    child.on("close", () => {
      const ms = performance.now() - start;
      clearTimeout(timer);
      try {
        resolve({ ms, ...JSON.parse(text) });
      } catch {
        reject(new Error(`${args.join(" ")} printed no result`));
      }
    });
  });
}

for (const signal of ["SIGINT", "SIGTERM"]) {
  process.once(signal, () => {
    endAll();
    process.exit(1);
  });
}
process.once("exit", endAll);

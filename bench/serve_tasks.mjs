/** What the workers of worker.mjs and curl_worker.mjs have in common; worker.py does the same in Python. */
import process from "node:process";
import { createInterface } from "node:readline";

/** Reads a task a line from stdin and writes its result a line to stdout, until stdin ends. */
export async function serveTasks(tasks) {
  for await (const line of createInterface({ input: process.stdin })) {
    const { task, ...given } = JSON.parse(line);
    let reply;
    try {
      reply = { result: await tasks[task](given) };
    } catch (error) {
      reply = { error: String(error) };
    }
    process.stdout.write(`${JSON.stringify(reply)}\n`);
  }
  process.exit(0); // idle connections must not keep the process
}

/** A JSON text of exactly so many bytes. */
export function jsonText(bytes) {
  return `{"name":"${"x".repeat(bytes - '{"name":""}'.length)}"}`;
}

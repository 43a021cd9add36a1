/**
 * The command curl behind worker.mjs's tasks, in sequence only. One command makes all calls of a task over one
 * connection, as a script with several URLs does; each call's time is curl's own, without the command's start.
 */
import { spawn } from "node:child_process";
import { jsonText, serveTasks } from "./serve_tasks.mjs";

let options;

function curl(args, stdin) {
  const { username, password } = options;
  const child = spawn("curl", [
    "--silent",
    "--globoff",
    "--digest",
    "--user",
    `${username}:${password}`,
    "--write-out",
    "%{stderr}%{http_code} %{time_total}\n",
    ...args,
  ], { stdio: ["pipe", "ignore", "pipe"] });
  child.stdin.on("error", () => {}); // curl may end before it has read a body
  child.stdin.end(stdin);
  let text = "";
  child.stderr.on("data", (chunk) => text += chunk);
  return new Promise((resolve, reject) => {
    child.on("error", reject);
    child.on("close", () => {
      const calls = text.trim().split("\n").map((line) => line.split(" ").map(Number));
      resolve(calls.map(([status, seconds]) => ({ status, ms: seconds * 1000 })));
    });
  });
}

const tasks = {
  create(given) {
    options = given;
  },

  async calls({ calls }) {
    const answers = await curl(new Array(calls).fill(options.url));
    const failures = answers.filter(({ status }) => status !== 200);
    return {
      calls,
      ms: answers.reduce((sum, { ms }) => sum + ms, 0),
      failed: failures.length,
      firstFailure: failures[0]?.status,
    };
  },

  async post({ bytes }) {
    const header = "Content-Type: application/json";
    const [{ status }] = await curl(["--header", header, "--data-binary", "@-", options.url], jsonText(bytes));
    return { status };
  },

  async stream({ bytes }) {
    const [{ status }] = await curl(["--upload-file", "-", options.url], jsonText(bytes));
    return { status };
  },
};

await serveTasks(tasks);

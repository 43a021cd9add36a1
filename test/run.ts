/**
 * Runs the unit tests, as many files at once as there are cores: `npm run unit`, or `npx tsx test/run.ts digest retry`
 * for the files with such a part in their name. It prints a line a file, then what failed, then a line that counts.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { readdir } from "node:fs/promises";
import { availableParallelism } from "node:os";
import type { FileReport } from "./run_reporter.ts";

const parts = process.argv.slice(2);
const queue = (await Promise.all(["test", "test/faults"].map(filesIn))).flat()
  .filter((file) => file.endsWith("_test.ts") && (parts.length === 0 || parts.some((part) => file.includes(part))));
const reports: FileReport[] = [];
const failures: string[] = [];

async function filesIn(folder: string): Promise<string[]> {
  return (await readdir(folder)).sort().map((name) => `${folder}/${name}`);
}

/** A process takes file after file: a start of tsx costs more than the tests of most. */
async function runProcess(): Promise<void> {
  const options = ["--test-reporter=./test/run_reporter.ts", "test/run_files.ts"];
  const stdio = ["ignore", "inherit", "inherit", "ipc"] as const;
  const child = spawn(process.execPath, [...process.execArgv, ...options], { stdio: [...stdio] });
  let running = handOut(child);
  child.on("message", (report: FileReport) => {
    take(report);
    running = handOut(child);
  });
  const [code] = await once(child, "close");
  if (running !== undefined) failures.push(`${running} has not been run to its end`);
  else if (code !== 0 && failures.length === 0) failures.push("An error came when the test that caused it was over");
}

/** Gives the next file to a process or, if there is none, lets it end. */
function handOut(child: ChildProcess): string | undefined {
  const file = queue.shift();
  child.send({ file }, () => {}); // it may have ended
  return file;
}

function take(report: FileReport): void {
  const { file, passed, failed, skipped, seconds } = report;
  reports.push(report);
  failures.push(...failed.map((failure) => `${file}: ${failure}`));
  if (passed + failed.length + skipped.length === 0) failures.push(`${file} has no test`);
  const counts = failed.length > 0 ? `${passed} passed, ${failed.length} failed` : `${passed} passed`;
  console.log(`${file.padEnd(44)} ${seconds.toFixed(1).padStart(4)} s  ${counts}`);
}

await Promise.all(Array.from({ length: Math.min(availableParallelism(), queue.length) }, runProcess));

const skipped = reports.flatMap((report) => report.skipped);
const passed = reports.reduce((sum, report) => sum + report.passed, 0);
if (queue.length > 0) failures.push(`${queue.join(", ")} has not been run`);
for (const failure of failures) console.log(`\n${failure}`);
const reasons = skipped.map((reason) => `\n  skipped: ${reason}`);
console.log(`\n${passed} passed, ${failures.length} failed, ${skipped.length} skipped${reasons.join("")}`);
if (failures.length > 0 || passed === 0) process.exitCode = 1;

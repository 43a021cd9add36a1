/**
 * Runs the unit tests, as many files at once as there are cores: `npm run unit`, or `npx tsx test/run.ts digest retry`
 * for the files with such a part in their name. Behind the name of another folder (`npx tsx test/run.ts test/interop`)
 * those in it, one at a time. It prints a line a file, then what failed and was skipped, then a line that counts.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { readdir } from "node:fs/promises";
import { availableParallelism } from "node:os";
import type { FileReport } from "./run_reporter.ts";

const UNIT_TESTS = ["test", "test/faults"];

const parts = process.argv.slice(2);
const folder = parts[0]?.startsWith("test/") ? parts.shift() : undefined;
const queue = (await Promise.all((folder ? [folder] : UNIT_TESTS).map(filesIn))).flat()
  .filter((file) => file.endsWith("_test.ts") && (parts.length === 0 || parts.some((part) => file.includes(part))));
const width = Math.max(...queue.map((file) => file.length));
/** A start of tsx costs more than most unit tests, so a process takes file after file. Others change their process. */
const isShared = folder === undefined;
const processes = isShared ? availableParallelism() : 1;
const reports: FileReport[] = [];
const failures: string[] = [];

async function filesIn(folder: string): Promise<string[]> {
  return (await readdir(folder)).sort().map((name) => `${folder}/${name}`);
}

async function runProcesses(): Promise<void> {
  while (queue.length > 0) await runProcess();
}

async function runProcess(): Promise<void> {
  const options = ["--test-reporter=./test/run_reporter.ts", "test/run_files.ts"];
  const stdio = ["ignore", "inherit", "inherit", "ipc"] as const;
  const child = spawn(process.execPath, [...process.execArgv, ...options], { stdio: [...stdio] });
  let running = handOut(child, queue.shift());
  child.on("message", (report: FileReport) => {
    take(report);
    running = handOut(child, isShared ? queue.shift() : undefined);
  });
  const [code] = await once(child, "close");
  if (running !== undefined) failures.push(`${running} has not been run to its end`);
  else if (code !== 0 && failures.length === 0) failures.push("An error came when the test that caused it was over");
}

/** Gives a file to a process or, if there is none, lets it end. */
function handOut(child: ChildProcess, file: string | undefined): string | undefined {
  child.send({ file }, () => {}); // it may have ended
  return file;
}

function take(report: FileReport): void {
  const { file, passed, failed, skipped, seconds } = report;
  reports.push(report);
  failures.push(...failed.map((failure) => `${file}: ${failure}`));
  if (passed + failed.length + skipped.length === 0) failures.push(`${file} has no test`);
  const counts = failed.length > 0 ? `${passed} passed, ${failed.length} failed` : `${passed} passed`;
  console.log(`${file.padEnd(width)} ${seconds.toFixed(1).padStart(4)} s  ${counts}`);
}

await Promise.all(Array.from({ length: Math.min(processes, queue.length) }, runProcesses));

const skipped = reports.flatMap((report) => report.skipped);
const passed = reports.reduce((sum, report) => sum + report.passed, 0);
for (const failure of failures) console.log(`\n${failure}`);
for (const reason of skipped) console.log(`\nSkipped: ${reason}`);
console.log(`\n${passed} passed, ${failures.length} failed, ${skipped.length} skipped`);
if (failures.length > 0 || passed === 0) process.exitCode = 1;

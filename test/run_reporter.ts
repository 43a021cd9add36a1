/** Tells the process of run.ts what became of each file: a reporter of node:test. */
import type { TestEvent } from "node:test/reporters";
import { inspect } from "node:util";

/** What became of a file. */
export interface FileReport {
  file: string;
  passed: number;
  /** Which test failed, and the whole message. */
  failed: string[];
  /** Which test, and the reason. */
  skipped: string[];
  seconds: number;
}

/** Ends the name of the test that run_files.ts puts behind the last of a file. */
export const LAST_TEST = " leaves the globals as it found them";

export default async function* report(events: AsyncIterable<TestEvent>): AsyncGenerator<string> {
  let began = 0; // seconds since this process started
  let [passed, failed, skipped]: [number, string[], string[]] = [0, [], []];
  for await (const { type, data } of events) {
    // What a test left running has failed when the test was over.
    if (type === "test:diagnostic" && /^(Error|Warning): /.test(data.message)) yield `\n${data.message}\n`;
    if (type !== "test:pass" && type !== "test:fail") continue;

    const isLast = data.name.endsWith(LAST_TEST);
    if (type === "test:fail") failed.push(`${data.name}\n${inspect(data.details.error.cause)}`);
    else if (typeof data.skip === "string") skipped.push(`${data.name}: ${data.skip}`);
    else if (data.skip) failed.push(`${data.name}\nIt is skipped without a reason`);
    else if (!isLast) passed++;
    if (!isLast) continue;

    const now = performance.now() / 1000;
    const file = data.name.slice(0, -LAST_TEST.length);
    process.send?.({ file, passed, failed, skipped, seconds: now - began } satisfies FileReport);
    began = now;
    [passed, failed, skipped] = [0, [], []];
  }
}

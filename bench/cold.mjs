/**
 * A whole process for one call, as a script in a cron job is: import, call, end. Tells the time of the call alone
 * and the peak memory; the time of the process is taken by who started it.
 */
import { readFileSync } from "node:fs";
import process from "node:process";

const [name, url, username, password] = process.argv.slice(2);
const { createClient } = await import(`./clients/${name}.mjs`);
const start = performance.now();
let status;
try {
  status = await createClient({ url, username, password }).get();
} catch (error) {
  status = String(error);
}
const callMs = performance.now() - start;
process.stdout.write(JSON.stringify({ status, callMs, peakKiB: peakKiB() }), () => process.exit(0));

/** Linux lets maxRSS begin with what the parent process held when it forked, which is more than these scripts need. */
function peakKiB() {
  if (process.platform !== "linux") return process.resourceUsage().maxRSS;
  return Number(/^VmHWM:\s*(\d+)/m.exec(readFileSync("/proc/self/status", "utf8"))[1]);
}

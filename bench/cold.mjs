/**
 * A whole process for one call, as a script in a cron job is: import, call, end. Tells the time of the call alone
 * and the peak memory; the time of the process is taken by who started it.
 */
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
const peakKiB = process.resourceUsage().maxRSS;
process.stdout.write(JSON.stringify({ status, callMs, peakKiB }), () => process.exit(0));

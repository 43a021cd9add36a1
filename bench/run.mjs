/**
 * `npm run bench`: counts, then times, and writes both to README.md. `node run.mjs counts`, `times` or `inside` does a
 * part; `npm run bench:quick` does all in two minutes and writes nothing, since its times are not worth it.
 */
import { execFileSync } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import os from "node:os";
import { join } from "node:path";
import process from "node:process";
import { count } from "./counts.mjs";
import { measureInside } from "./inside.mjs";
import { findRuntimes, here } from "./processes.mjs";
import { time } from "./times.mjs";

const quick = process.argv.includes("--quick");
const parts = process.argv.slice(2).filter((argument) => argument !== "--quick");
const begun = performance.now();
const say = (text) => console.error(`${((performance.now() - begun) / 1000).toFixed(0).padStart(5)} s  ${text}`);

const SECTIONS = { counts: count, times: time, inside: measureInside };

installOurs();
const runtimes = findRuntimes();
for (const [section, measure] of Object.entries(SECTIONS)) {
  if (parts.length > 0 && !parts.includes(section)) continue;
  say(section);
  const { tables, plot } = await measure({ runtimes, quick, say });
  for (const [name, rows] of Object.entries(tables)) console.log(`\n${name}\n\n${table(rows)}`);
  if (!quick) publish(section, Object.values(tables).map(table));
  if (plot && !quick) writeFileSync(join(here, "round_trips.svg"), plot);
}
say("done");

/** Packs atlas-fetch and installs the tarball here: what is measured is what npm would publish. */
function installOurs() {
  const folder = mkdtempSync(join(os.tmpdir(), "atlas-fetch-"));
  const npm = (cwd, ...args) => execFileSync("npm", [...args, "--silent"], { cwd, stdio: ["ignore", 2, 2] });
  try {
    npm(join(here, ".."), "pack", "--pack-destination", folder);
    npm(here, "install", "--no-save", "--ignore-scripts", join(folder, readdirSync(folder)[0]));
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** Writes the date and the tables of a section in place of those that README.md has between its markers. */
function publish(section, tables) {
  const readme = readFileSync(join(here, "README.md"), "utf8");
  const from = readme.indexOf(`<!-- ${section} -->`);
  const to = readme.indexOf("<!-- end -->", from);
  let placed = 0;
  const written = readme.slice(from, to).replace(/^Run on.*$/m, stamp())
    .replace(/(^\|.*\n)+/gm, () => `${tables[placed++]}\n`);
  if (placed !== tables.length) throw new Error(`README.md has ${placed} tables of ${section}`);
  writeFileSync(join(here, "README.md"), readme.slice(0, from) + written + readme.slice(to));
}

function stamp() {
  const versions = runtimes.map(({ name, version }) => `${name.split(" ")[0]} ${version}`).join(", ");
  const [{ model }, ...others] = os.cpus();
  return `Run on ${new Date().toISOString().slice(0, 10)}, ${1 + others.length} cores ${
    model.slice(0, 30)
  }: ${versions}.`;
}

/** As `deno fmt` pads it: names to the left, numbers to the right. */
function table(rows) {
  const widths = rows[0].map((_, column) => Math.max(3, ...rows.map((cells) => cells[column].length)));
  const line = (cells) => `| ${cells.join(" | ")} |`;
  const padded = (cells) =>
    line(cells.map((cell, column) => column === 0 ? cell.padEnd(widths[0]) : cell.padStart(widths[column])));
  const rule = widths.map((width, column) => column === 0 ? "-".repeat(width) : `${"-".repeat(width - 1)}:`);
  const [head, ...body] = rows;
  return [padded(head), line(rule), ...body.map(padded)].join("\n");
}

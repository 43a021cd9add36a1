/**
 * results.json -> the plots and README.md's tables. By itself (`npm run report`) it writes them anew from the
 * results at hand; with `--check` it only says whether they are what the results say.
 */
import { readFileSync, writeFileSync } from "node:fs";
import process from "node:process";
import { pathToFileURL } from "node:url";
import { plotsOf } from "./plots.mjs";
import { here } from "./processes.mjs";
import { tablesOf } from "./tables.mjs";

export function writeReport(results) {
  for (const [name, text] of reportOf(results)) writeFileSync(here(name), text);
}

/** The names of the files that do not say what the results say. */
function outdated(results) {
  return reportOf(results).filter(([name, text]) => read(name) !== text).map(([name]) => name);
}

function reportOf(results) {
  return [...Object.entries(plotsOf(results)), ["README.md", readmeOf(results)]];
}

/** README.md with each generated table between its markers replaced. */
function readmeOf(results) {
  let readme = read("README.md");
  for (const [name, table] of Object.entries(tablesOf(results))) {
    const begin = `<!-- generated: ${name} -->`;
    const end = "<!-- end -->";
    const from = readme.indexOf(begin);
    const to = readme.indexOf(end, from);
    if (from === -1 || to === -1) {
      throw new Error(`README.md has no place for the table ${name}`);
    }
    readme = `${readme.slice(0, from)}${begin}\n\n${table}\n\n${readme.slice(to)}`;
  }
  return readme;
}

function read(name) {
  try {
    return readFileSync(here(name), "utf8");
  } catch {
    return "";
  }
}

if (import.meta.url === pathToFileURL(process.argv[1]).href) {
  const file = process.argv.find((argument) => argument.endsWith(".json")) ??
    "results.json";
  const results = JSON.parse(readFileSync(here(file), "utf8"));
  if (process.argv.includes("--check")) {
    const names = outdated(results);
    if (names.length > 0) {
      console.error(
        `Not what ${file} says: ${names.join(", ")}; npm run report writes them`,
      );
      process.exitCode = 1;
    }
  } else {
    writeReport(results);
  }
}

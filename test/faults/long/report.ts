/** README.md of the folder above, of which each run writes its own sections anew. */
import { readFileSync, writeFileSync } from "node:fs";

const file = new URL("../README.md", import.meta.url);

/** Replaces all between a heading and the next one. At once, since two tests may do so at a time. */
export function writeSection(heading: string, text: string): void {
  const [before = "", rest] = readFileSync(file, "utf8").split(`## ${heading}\n`);
  if (rest === undefined) throw new Error(`There is no ${heading} in the README`);
  const next = rest.indexOf("\n## ");
  writeFileSync(file, `${before}## ${heading}\n\n${text.trim()}\n${next === -1 ? "" : rest.slice(next)}`);
}

/** Text in lines of at most 120 characters. */
export function paragraph(text: string): string {
  return text.replace(/\s+/g, " ").replace(/(.{1,120})(?: |$)/g, "$1\n").trimEnd();
}

/** A table as `deno fmt` writes it. */
export function table(head: readonly string[], rows: readonly (readonly (string | number)[])[]): string {
  const cells = [head, ...rows.map((row) => row.map((cell) => cell.toLocaleString("en")))];
  const widths = head.map((_, column) => Math.max(3, ...cells.map((row) => row[column]?.length ?? 0)));
  const isNumber = head.map((_, column) => rows.every((row) => typeof row[column] === "number"));
  const line = (row: readonly string[], fill: (cell: string, column: number) => string) =>
    `| ${row.map((cell, column) => fill(cell, column)).join(" | ")} |`;
  const pad = (cell: string, column: number) => {
    const width = widths[column] ?? 0;
    return isNumber[column] ? cell.padStart(width) : cell.padEnd(width);
  };
  const rule = line(head, (_, column) => {
    const dashes = "-".repeat(widths[column] ?? 0);
    return isNumber[column] ? `${dashes.slice(1)}:` : dashes;
  });
  const [first = [], ...others] = cells;
  return [line(first, pad), rule, ...others.map((row) => line(row, pad))].join("\n");
}

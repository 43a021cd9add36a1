/**
 * One kind of picture for all: clients down, conditions across, a bar in each cell, drawn to one scale. A plotting
 * library would bring hundreds of packages for these rectangles. The text is laid out as `deno fmt` lays out SVG.
 */
const WIDTH = 960; // px
const MARGIN = 16;
const LABELS = 200; // the column of names
const NUMBER = 74; // room for the number after the longest bar
const ROW = 30;
const HEAD = 124;
const LINE = 18; // of text
const LETTERS = 76; // in a line of text; more would not stay on one line of the file

const STYLE = `
  <style>
  text {
    font: 13px -apple-system, "Segoe UI", Helvetica, Arial, sans-serif;
    fill: #1f2933;
  }
  .title {
    font-size: 19px;
    font-weight: 600;
  }
  .column {
    font-weight: 600;
  }
  .faint {
    fill: #66727f;
  }
  .strong {
    font-weight: 700;
  }
  .number {
    paint-order: stroke;
    stroke: #ffffff;
    stroke-width: 4px;
  }
  rect.ours {
    fill: #00755e;
  }
  rect.peer {
    fill: #b3bcc6;
  }
  rect.base {
    fill: #7d8a97;
  }
  .bad,
  rect.bad {
    fill: #c5372c;
  }
  path {
    fill: none;
    stroke: #1f2933;
  }
  path.row {
    stroke: #d5dbe1;
  }
  path.mark {
    stroke: #66727f;
    stroke-dasharray: 2 3;
  }
  path.cut {
    stroke: #ffffff;
    stroke-width: 3px;
  }
  </style>`.slice(1);

/**
 * `rows`: [{ label, kind: "ours" | "peer" | "base" }]. `columns`: labels, "\n" breaks them. `cells[row][column]`:
 * { value, low?, high?, note?, bad? } or undefined. A line is drawn at the value `mark`. With `pieces` a bar is cut
 * into ones, to be counted at a glance.
 */
export function plot({ title, subtitle, rows, columns, cells, mark, pieces, source }) {
  const width = (WIDTH - LABELS - MARGIN) / columns.length;
  const reach = cells.flat().filter((cell) => cell !== undefined).map(({ value, high = value }) =>
    Math.max(value, high)
  );
  const scale = (width - NUMBER) / Math.max(mark, ...reach); // px a unit
  const bottom = HEAD + rows.length * ROW;
  const height = bottom + 24 + lines(source).length * LINE;
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" width="${WIDTH}" height="${height}">`,
    `  <title>${escaped(title)}</title>`,
    STYLE,
    `  <rect width="${WIDTH}" height="${height}" rx="6" fill="#ffffff" />`,
    text(MARGIN, 30, "title", title),
    ...lines(subtitle).map((line, number) => text(MARGIN, 52 + number * LINE, "faint", line)),
    ...columns.flatMap((column, index) => {
      const left = LABELS + index * width;
      const x = px(left + mark * scale);
      return [
        ...column.split("\n").map((line, number, all) =>
          text(left, HEAD - 10 - (all.length - 1 - number) * 16, "column", line)
        ),
        `  <path class="mark" d="M${x} ${HEAD - 2}V${bottom}" />`,
      ];
    }),
    ...rows.flatMap(({ label, kind }, row) => {
      const top = HEAD + row * ROW;
      return [
        `  <path class="row" d="M${MARGIN} ${top}H${WIDTH - MARGIN}" />`,
        text(MARGIN, top + 20, kind === "ours" ? "strong" : "name", label),
        ...columns.flatMap((_, column) =>
          cells[row][column] === undefined
            ? []
            : bar({ pieces, ...cells[row][column] }, LABELS + column * width, top, scale, kind)
        ),
      ];
    }),
    ...lines(source).map((line, number) => text(MARGIN, bottom + 28 + number * LINE, "faint", line)),
    "</svg>\n",
  ].join("\n");
}

function bar({ value, low, high, note, bad, pieces }, left, top, scale, kind) {
  const middle = top + ROW / 2;
  const look = bad ? "bad" : kind;
  const parts = [
    `  <rect class="${look}" x="${px(left)}" y="${middle - 7}" width="${px(value * scale)}" height="14" rx="2" />`,
  ];
  for (let one = 1; pieces && one < Math.round(value); one++) {
    parts.push(`  <path class="cut" d="M${px(left + one * scale)} ${middle - 7}v14" />`);
  }
  if (low !== undefined) {
    const [from, to] = [px(left + low * scale), px(left + high * scale)];
    const whisker = `M${from} ${middle}H${to}M${from} ${middle - 4}v8M${to} ${middle - 4}v8`;
    parts.push(`  <path d="${whisker}" />`);
  }
  const after = left + Math.max(value, high ?? value) * scale + 6;
  const weight = bad ? "number bad" : kind === "ours" ? "number strong" : "number";
  parts.push(text(after, middle + 4.5, weight, note ?? value.toFixed(2)));
  return parts;
}

function text(x, y, look, words) {
  return `  <text class="${look}" x="${px(x)}" y="${y}">${escaped(words)}</text>`;
}

function lines(words) {
  const broken = [""];
  for (const word of words.split(" ")) {
    const last = broken.length - 1;
    if (broken[last].length + word.length < LETTERS) broken[last] = `${broken[last]} ${word}`.trim();
    else broken.push(word);
  }
  return broken;
}

function px(value) {
  return Number(value.toFixed(1));
}

function escaped(words) {
  return words.replace(/&/g, "&amp;").replace(/</g, "&lt;");
}

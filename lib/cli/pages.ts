import { ensureOk } from "../atlas_error.ts";
import { listOf, parseJson, textOf } from "../json.ts";
import type { Client, Run } from "./client.ts";
import { childrenOf, indented, isJson, isList, visible } from "./json_text.ts";
import { writeText } from "./output.ts";
import { EACH, linesOf } from "./query.ts";
import { failure } from "./system.ts";

/** Writes the items of all pages as one array, or what a query takes of them, page by page. */
export async function writePages({ options, output, report }: Run, client: Client, path: string): Promise<void> {
  const { query } = options;
  const [first, ...rest] = query ?? [];
  let items = 0;
  let pages = 0;
  report.progress = () => `${pages} pages, ${items} items`;

  function shown(item: string): string {
    if (query) return first === EACH || first === items ? linesOf(item, rest, first === EACH) : "";
    const text = output.isTerminal ? visible(`  ${indented(item).replaceAll("\n", "\n  ")}`) : item;
    return (items === 0 ? "[\n" : ",\n") + text;
  }

  for await (const page of pagesOf(path, client)) {
    const list = listIn(page);
    if (list === undefined && pages === 0) {
      return query ? await output.write(linesOf(page, query)) : await writeText(page, output);
    }
    if (list === undefined) throw failure(1, `Page ${pages + 1} of the list is no list`);
    pages++;
    let text = "";
    for (const { value } of childrenOf(list)) {
      text += shown(value);
      items++;
    }
    await output.write(text);
    if (!output.isFile) report.reached = `${items} items are out${query ? "" : ", and the array is not closed"}`;
    if (typeof first === "number" && first < items) return;
  }
  if (typeof first === "number") throw failure(1, `Cannot find [${first}] in the answer: there is a list of ${items}`);
  if (!query) await output.write(items === 0 ? "[]\n" : "\n]\n");
}

/** The items of a page, if it is one: a plain list, or the results of an object. */
function listIn(page: string): string | undefined {
  if (!isJson(page)) return undefined;
  const list = isList(page) ? page : [...childrenOf(page)].find(({ name }) => name === "results")?.value;
  return list && isList(list) ? list : undefined;
}

/** The pages of a list. Of `next` it takes the query and nothing else, so that no answer leads elsewhere. */
async function* pagesOf(path: string, client: Client): AsyncGenerator<string, void> {
  const [base = "", ...queries] = path.replace(/#.*/s, "").split("?");
  let query = queries.join("?");
  if (!new URLSearchParams(query).has("itemsPerPage")) query += `${query && "&"}itemsPerPage=500`;
  for (const asked = new Set<string>(); !asked.has(canonical(query));) {
    asked.add(canonical(query));
    const response = await ensureOk(client(`${base}?${query}`));
    const page = await response.text();
    yield page;
    const next = listOf(parseJson(page), "links")?.find((link) => textOf(link, "rel") === "next");
    if (!next) return;
    const href = textOf(next, "href");
    if (!href || !URL.canParse(href, response.url)) throw failure(1, `The next link of page ${asked.size} is no URL`);
    query = new URL(href, response.url).search.slice(1);
  }
}

/** The same for all ways to ask for a page. */
function canonical(query: string): string {
  const params = new URLSearchParams(query);
  params.delete("itemsPerPage");
  if (!params.has("pageNum")) params.set("pageNum", "1");
  params.sort();
  return String(params);
}

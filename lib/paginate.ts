import { AtlasError, atlasError, listOf, memberOf, parseJson, textOf } from "./atlas_error.ts";
import type { AtlasRequestInit } from "./atlas_fetch.ts";
import type { Fetch } from "./digest/call.ts";

/**
 * The items of a list, page by page as they arrive.
 *
 * It asks for 500 items a page unless the query says otherwise, and follows `links[rel=next]` by its query only: the
 * rest of the URL stays your own, so no `next` can lead credentials elsewhere. It ends with a page that has no `next`
 * or one that was asked for before. Lists that Atlas does not page, some of them plain arrays, are one page.
 *
 * @param fetch Such as `atlasFetch`
 * @param input Of the list, as `fetch` takes it
 * @param init For each page
 * @throws {AtlasError} for a page that is refused or is no list, with path and page; and what `fetch` throws
 *
 * @example
 * ```ts no-eval
 * import { atlasFetch, paginate } from "atlas-fetch";
 *
 * for await (const project of paginate<{ name: string }>(atlasFetch, "/groups")) console.log(project.name);
 * ```
 */
export async function* paginate<T = unknown>(
  fetch: Fetch,
  input: string | URL,
  init?: AtlasRequestInit,
): AsyncGenerator<T, void> {
  const [base = "", ...rest] = String(input).replace(/#.*/s, "").split("?");
  let query = rest.join("?");
  if (!new URLSearchParams(query).has("itemsPerPage")) query += `${query && "&"}itemsPerPage=500`;
  const asked = new Set<string>();
  while (!asked.has(canonical(query))) {
    asked.add(canonical(query));
    let place = `${base.replace(/^\s*(\w+:)?[\\/]{2}[^\\/]*/, "")} page ${asked.size}`;
    const lost = (error: unknown) => {
      if (!(error instanceof TypeError)) throw error;
      throw new TypeError(`${place}: ${error.message}`, { cause: error.cause ?? error });
    };
    const response = await fetch(`${base}?${query}`, init).catch(lost);
    if (response.url) place = `${new URL(response.url).pathname} page ${asked.size}`;
    if (!response.ok) throw await atlasError(response, place);
    const body = parseJson(await response.text().catch(lost));
    const items = memberOf(body, "results") ?? body;
    if (!Array.isArray(items)) throw new AtlasError(response, { detail: "The answer is not a list" }, place);
    yield* items;
    const next = listOf(body, "links")?.find((link) => textOf(link, "rel") === "next");
    if (!next) return;
    const href = textOf(next, "href");
    if (!URL.canParse(href)) {
      throw new AtlasError(response, { detail: "The next link is not a URL" }, place);
    }
    query = new URL(href).search.slice(1);
  }
}

/** The same for every way to ask for the same page. */
function canonical(query: string): string {
  const params = new URLSearchParams(query);
  params.delete("itemsPerPage");
  if (!params.has("pageNum")) params.set("pageNum", "1");
  params.sort();
  return String(params);
}

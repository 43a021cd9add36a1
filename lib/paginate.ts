import { AtlasError, atlasError } from "./atlas_error.ts";
import type { AtlasRequestInit } from "./atlas_fetch.ts";
import type { Fetch } from "./digest/call.ts";
import { hideExchange } from "./digest/connection.ts";
import { listOf, memberOf, parseJson, textOf } from "./json.ts";

const ANY_URL = "https://localhost"; // only the query of `next` counts

/**
 * The items of a list, page by page.
 *
 * It asks for 500 a page unless told otherwise, and takes only the query of `links[rel=next]`, so that none leads credentials
 * elsewhere. It ends with a page that has none, or one that was asked for before.
 *
 * @param fetch Such as `atlasFetch`
 * @param input As `fetch` takes it
 * @param init For each page
 * @throws {AtlasError} for a page that is refused or is no list; and what `fetch` throws
 *
 * @example
 * ```ts
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
    const response = await fetch(`${base}?${query}`, init);
    const path = response.url ? new URL(response.url).pathname : base.replace(/^\s*(\w+:)?[\\/]{2}[^\\/]*/, "");
    const place = `${path} page ${asked.size}`;
    if (!response.ok) throw await atlasError(response, place);
    const text = await response.text().catch((error) => {
      hideExchange(error);
      throw error;
    });
    const body = parseJson(text);
    const items = memberOf(body, "results") ?? body;
    if (!Array.isArray(items)) throw new AtlasError(response, { detail: "The answer is not a list" }, place);
    for (const item of items) yield item; // not yield*, which has no throw() on an array
    const next = listOf(body, "links")?.find((link) => textOf(link, "rel") === "next");
    if (!next) return;
    const href = textOf(next, "href");
    const isUrl = URL.canParse(href, /^[?/]/.test(href) ? ANY_URL : undefined);
    if (!isUrl) throw new AtlasError(response, { detail: "The next link is not a URL" }, place);
    query = new URL(href, ANY_URL).search.slice(1);
  }
}

/** The same for all that ask for the same page. */
export function canonical(query: string): string {
  const params = new URLSearchParams(query);
  params.delete("itemsPerPage");
  if (!params.has("pageNum")) params.set("pageNum", "1");
  params.sort();
  return String(params);
}

import type { Fetch } from "../../mod.ts";

/** The global fetch, and what it threw: one a try that failed. */
export function observeFetch(): { fetch: Fetch; thrown: unknown[] } {
  const thrown: unknown[] = [];
  async function observed(...args: Parameters<Fetch>): Promise<Response> {
    try {
      return await fetch(...args);
    } catch (error) {
      thrown.push(error);
      throw error;
    }
  }
  return { fetch: observed, thrown };
}

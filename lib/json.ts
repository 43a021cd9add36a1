import { hideExchange } from "./digest/connection.ts";

const MAX_LENGTH = 256 * 1024; // bytes

/** At most 256 KiB of a body; if it breaks off, what came and the error. */
export async function readText(response: Response): Promise<{ text: string; error?: unknown }> {
  const decoder = new TextDecoder();
  let text = "";
  let left = MAX_LENGTH;
  try {
    for await (const chunk of response.body ?? []) {
      text += decoder.decode(chunk.subarray(0, left), { stream: true });
      left -= chunk.length;
      if (left < 0) break; // which cancels
    }
  } catch (error) {
    hideExchange(error);
    return { text, error };
  }
  return { text: text + decoder.decode() };
}

export function parseJson(text: string, reviver?: (name: string, value: unknown) => unknown): unknown {
  try {
    return JSON.parse(text, reviver);
  } catch {
    return undefined;
  }
}

/** Of what may be no object. */
export function memberOf(value: unknown, name: string): unknown {
  return Object(value)[name];
}

export function listOf(value: unknown, name: string): unknown[] | undefined {
  const member = memberOf(value, name);
  return Array.isArray(member) ? member : undefined;
}

/** Or "". */
export function textOf(value: unknown, name: string): string {
  const member = memberOf(value, name);
  return typeof member === "string" ? member : "";
}

/** RFC 6750 section 2.1. */
export function isToken(value: unknown): value is string {
  return typeof value === "string" && /^[\x21-\x7e]+$/.test(value);
}

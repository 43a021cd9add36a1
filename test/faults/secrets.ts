/** Looks for secrets in all that an error shows, or can be made to show. */
import assert from "node:assert/strict";
import { inspect } from "node:util";

/** Every way in which a marked secret may be written. */
export function formsOf(secret: string): string[] {
  const bytes = Buffer.from(secret, "utf8");
  return [
    secret,
    encodeURIComponent(secret),
    JSON.stringify(secret).slice(1, -1),
    bytes.toString("base64"),
    bytes.toString("base64url"),
    // As a Buffer shows it.
    bytes.toString("hex"),
    bytes.toString("hex").replace(/..(?=.)/g, "$& "),
    // As a text of several bytes in decimal does, in JSON of a typed array.
    bytes.join(","),
  ];
}

/** @throws {AssertionError} if a value, or anything that hangs on it, hidden or not, holds one of the secrets */
export function assertShowsNone(value: unknown, secrets: readonly string[], what: string): void {
  const shown = [...textsOf(value, new Set())].join("\n");
  for (const secret of secrets) {
    for (const form of formsOf(secret)) {
      const at = shown.indexOf(form);
      assert.equal(at, -1, `${what} shows ${form}: ${shown.slice(Math.max(0, at - 200), at + 200)}`);
    }
  }
}

function* textsOf(value: unknown, seen: Set<unknown>): Generator<string> {
  if (seen.has(value)) return;
  seen.add(value);
  yield inspect(value, {
    showHidden: true,
    depth: Infinity,
    maxStringLength: null,
    maxArrayLength: null,
    getters: true,
  });
  if (!(value instanceof Error)) return;
  yield `${value}\n${value.message}\n${value.stack}\n${toJson(value)}\n${toJson({ ...value })}`;
  for (const name of Reflect.ownKeys(value)) yield* textsOf(Reflect.get(value, name), seen);
}

function toJson(value: unknown): string {
  try {
    return JSON.stringify(value);
  } catch {
    return ""; // it holds itself
  }
}

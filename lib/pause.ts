import { unlessAborted } from "./digest/call.ts";

/** Waits, unless the signal is aborted. */
export async function pause(ms: number, signal: AbortSignal | null): Promise<void> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const wait = new Promise<void>((resolve) => timer = setTimeout(resolve, ms));
  await unlessAborted(wait, signal).finally(() => clearTimeout(timer));
}

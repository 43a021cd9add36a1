import { unlessAborted } from "./digest/call.ts";

/** Waits some ms, or rejects with the signal's reason if that comes first. */
export async function pause(ms: number, signal: AbortSignal | null): Promise<void> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const wait = new Promise<void>((resolve) => timer = setTimeout(resolve, ms));
  await unlessAborted(wait, signal).finally(() => clearTimeout(timer));
}

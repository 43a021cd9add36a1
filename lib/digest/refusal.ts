const refusals = new WeakSet<Error>();

/** An error of ours, which no further try would change: the error, or a TypeError with the message. */
export function refusal(error: Error | string, options?: ErrorOptions): Error {
  const made = typeof error === "string" ? new TypeError(error, options) : error;
  refusals.add(made);
  return made;
}

/** Whether an error was thrown by us, not by the network, whose errors are TypeErrors too. */
export function isRefusal(error: Error): boolean {
  return refusals.has(error);
}

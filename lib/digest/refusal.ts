const refusals = new WeakSet<Error>();

/** A TypeError of ours, which no further try would change. */
export function refusal(message: string, options?: ErrorOptions): TypeError {
  const error = new TypeError(message, options);
  refusals.add(error);
  return error;
}

/** Whether an error was thrown by us, not by the network, whose errors are TypeErrors too. */
export function isRefusal(error: Error): boolean {
  return refusals.has(error);
}

/**
 * What the runtime needs to send a POST once only. Deno's fetch sends any request again when a connection breaks that was
 * in use before, whether or not it was executed (denoland/deno pull request 36415); not so on a new connection.
 */
export function onNewConnections(): RequestInit {
  const { Deno }: { Deno?: { createHttpClient(options: object): unknown } } = Object(globalThis);
  const extras: object = Deno ? { client: Deno.createHttpClient({ poolMaxIdlePerHost: 0 }) } : {};
  return extras;
}

/**
 * A function with the shape of the global `fetch`. Never `typeof fetch`: Bun's demands `preconnect`.
 */
export type Fetch = (input: string | URL | Request, init?: RequestInit) => Promise<Response>;

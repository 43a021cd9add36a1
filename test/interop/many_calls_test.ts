import test from "node:test";
import { assertSameAsFetch } from "../random_calls.ts";

test("createDigestFetch(), createBearerFetch() and createRetryFetch() do what fetch does, in 2,000 random calls", async (t) => {
  if ("Bun" in globalThis) {
    return t.skip("Bun sends a GET with a body, follows more than 20 redirects and mixes the headers of a Request");
  }
  await assertSameAsFetch(2000, 2);
});

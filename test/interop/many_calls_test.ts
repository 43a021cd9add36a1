import test from "node:test";
import { assertSameAsFetch } from "../random_calls.ts";

test("createDigestFetch(), createBearerFetch() and createRetryFetch() do what fetch does, in 2,000 random calls", async () => {
  await assertSameAsFetch(2000, 2);
});

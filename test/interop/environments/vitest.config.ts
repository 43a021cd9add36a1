import { defineConfig } from "vitest/config";

const environments = ["jsdom", "happy-dom"];
const pools = ["forks", "vmThreads"] as const; // in vmThreads JavaScript's own, such as ArrayBuffer, is of another realm too

export default defineConfig({
  test: {
    projects: environments.flatMap((environment) =>
      pools.map((pool) => ({
        test: {
          name: `${environment} in ${pool}`,
          environment,
          pool,
          include: ["*.spec.ts"],
          testTimeout: 30_000,
          // Else happy-dom asks the servers whether a page may call them.
          environmentOptions: { happyDOM: { settings: { fetch: { disableSameOriginPolicy: true } } } },
        },
      }))
    ),
  },
});

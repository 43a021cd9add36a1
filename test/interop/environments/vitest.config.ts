import { defineConfig } from "vitest/config";

// In vmThreads all that is JavaScript's own, such as TypeError, is of another realm. Of happy-dom's Response there no blob
// of bytes can be had: it says "[object ArrayBuffer]".
const projects = [
  { environment: "jsdom", pool: "forks" },
  { environment: "jsdom", pool: "vmThreads" },
  { environment: "happy-dom", pool: "forks" },
] as const;

export default defineConfig({
  test: {
    projects: projects.map(({ environment, pool }) => ({
      test: {
        name: `${environment} in ${pool}`,
        environment,
        pool,
        include: ["*.spec.ts"],
        testTimeout: 30_000,
        // Else happy-dom asks the servers whether a page may call them.
        environmentOptions: { happyDOM: { settings: { fetch: { disableSameOriginPolicy: true } } } },
      },
    })),
  },
});

/** The tests: what knows no page in Node alone, the rest in a page that jsdom makes. */

import { defineConfig } from "vitest/config";

export default defineConfig({
  esbuild: { jsx: "automatic", jsxImportSource: "preact" },
  test: {
    restoreMocks: true,
    maxWorkers: 2,
    minWorkers: 1,
    projects: [
      {
        extends: true,
        test: {
          name: "pure",
          include: ["src/{core,service}/**/*.test.ts"],
          environment: "node",
        },
      },
      {
        extends: true,
        test: {
          name: "page",
          include: ["src/{ui,form,pages}/**/*.test.{ts,tsx}"],
          environment: "jsdom",
        },
      },
    ],
  },
});

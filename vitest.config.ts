import { defineConfig } from 'vitest/config'

const source = (path: string) => new URL(path, import.meta.url).pathname

export default defineConfig({
  resolve: {
    alias: [
      { find: /^kysely-jobs$/, replacement: source('./src/index.ts') },
      { find: /^kysely-jobs\/(ihp|migrate|pg|queue)$/, replacement: source('./src/$1/index.ts') },
    ],
  },
  test: {
    include: ['test/**/*.test.ts'],
    globalSetup: ['test/support/server.ts'],
    testTimeout: 90_000, // no test asserts a time; on a busy machine processes are slow to start
    hookTimeout: 60_000,
    expect: { poll: { timeout: 20_000 } },
    maxConcurrency: 3, // of the chaos suite's scenarios, each of which has processes of its own
    maxWorkers: 3, // the tests wait for the server more than they compute; by default two cores run one file at a time
  },
})

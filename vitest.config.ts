import { defineConfig } from 'vitest/config'

const source = (path: string) => new URL(path, import.meta.url).pathname

/**
 * Files that have a process of their own: they look at what their process has loaded or change it, or are long. All others
 * share a process with those before them, which has loaded what most of them import.
 */
const apart = [
  'test/chaos/**',
  'test/compat/**',
  'test/examples/demo.test.ts',
  'test/package/**',
  'test/readme/readme.test.ts',
  'test/tools/start-postgres.test.ts',
  'test/types.test.ts',
  'test/watch/loading.test.ts',
  'test/worker/async-context.test.ts',
]

export default defineConfig({
  resolve: {
    alias: [
      { find: /^kysely-jobs$/, replacement: source('./src/index.ts') },
      { find: /^kysely-jobs\/dashboard$/, replacement: source('./dist/src/dashboard/index.js') }, // it is built of more than its modules
      { find: /^kysely-jobs\/(ihp|metrics|migrate|otel|pg|queue)$/, replacement: source('./src/$1/index.ts') },
    ],
  },
  test: {
    globalSetup: ['test/support/server.ts'],
    testTimeout: 90_000, // no test asserts a time; on a busy machine processes are slow to start
    hookTimeout: 60_000,
    expect: { poll: { timeout: 20_000 } },
    maxConcurrency: 3, // of the chaos suite's scenarios, each of which has processes of its own
    maxWorkers: 4, // the tests wait for the server more than they compute; by default two cores run one file at a time
    projects: [
      { extends: true, test: { name: 'apart', include: apart.map((path) => path.replace(/\*\*$/, '**/*.test.ts')) } },
      { extends: true, test: { name: 'together', include: ['test/**/*.test.ts'], exclude: apart, isolate: false } },
    ],
  },
})

import { globSync, readFileSync } from 'node:fs'
import { defineConfig } from 'vitest/config'
import base from './vitest.config.ts'

/** What a test imports that has a server or another process. */
const needsMore =
  /support\/(?:database|program|pgbouncer|standby|ihp-table|server)|tools\/postgres|child_process|typescript/

const rooms = ['pg', 'predicates', 'queue', 'runner', 'schema', 'watch', 'worker']

/** The tests that need no server: they are done in seconds. */
const unitTests = globSync(rooms.map((room) => `test/${room}/**/*.test.ts`)).filter(
  (file) => !needsMore.test(readFileSync(file, 'utf8')),
)

const { projects: _, globalSetup: __, ...test } = base.test ?? {}

export default defineConfig({ ...base, test: { ...test, include: unitTests, isolate: false } })

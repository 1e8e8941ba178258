import { execFileSync } from 'node:child_process'
import { rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { projectWithUs, remove } from './installed.js'

// Metrics and spans as they are installed: in a project that has neither prom-client nor OpenTelemetry.

const project = projectWithUs('kysely', 'module')
afterAll(() => remove(project))

test('without prom-client a scrape says what to install, and workers go on without it', () => {
  for (const name of ['prom-client', '@opentelemetry'])
    rmSync(join(project, 'node_modules', name), { recursive: true, force: true })
  writeFileSync(
    join(project, 'program.mjs'),
    `
import { Kysely, PostgresDialect } from 'kysely'
import { createWorker } from 'kysely-jobs'
import { metricsHandler, NoPromClientError } from 'kysely-jobs/metrics'
import pg from 'pg'
const db = new Kysely({ dialect: new PostgresDialect({ pool: new pg.Pool() }) })
const worker = createWorker(db, 'mail_jobs', () => {})
const metrics = metricsHandler([worker])
for (const time of ['first', 'second'])
  await metrics(new Request('http://localhost/metrics')).catch((error) =>
    console.log(time, error instanceof NoPromClientError, error.code, error.message),
  )
console.log(worker.health().state)
await db.destroy()
`,
  )
  const said = 'true NO_PROM_CLIENT metricsHandler needs the package prom-client: npm install prom-client'
  const told = execFileSync(process.execPath, ['program.mjs'], { cwd: project, encoding: 'utf8' })
  expect(told).toBe(`first ${said}\nsecond ${said}\nnew\n`)
})

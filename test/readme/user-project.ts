import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { onTestFinished } from 'vitest'
import { root } from './blocks.js'

/** What docs/dashboard.md puts the dashboard into. */
const hosts = ['hono', '@hono/node-server', 'express', '@types/express', 'fastify', '@nestjs/core', 'reflect-metadata']

/** What docs/telemetry.md starts OpenTelemetry's SDK by. */
const telemetry = ['context-async-hooks', 'resources', 'sdk-metrics', 'sdk-trace'].concat(
  ...['exporter-metrics-otlp-http', 'exporter-trace-otlp-http'],
)

/** A folder as a user's after `npm install`: kysely-jobs is what is in dist/. */
export function userProject(files: Readonly<Record<string, string>>): string {
  const folder = mkdtempSync(join(tmpdir(), 'kysely-jobs-user-'))
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
  const ofTelemetry = ['api', ...telemetry].map((name) => `@opentelemetry/${name}`)
  for (const name of ['kysely', 'pg', 'prom-client', '@types/node', '@types/pg', ...hosts, ...ofTelemetry]) {
    mkdirSync(dirname(join(folder, 'node_modules', name)), { recursive: true })
    symlinkSync(join(root, 'node_modules', name), join(folder, 'node_modules', name))
  }
  symlinkSync(root, join(folder, 'node_modules', 'kysely-jobs'))
  writeFileSync(join(folder, 'package.json'), '{ "type": "module" }')
  for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, name), text)
  return folder
}

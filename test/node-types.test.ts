import { execFile } from 'node:child_process'
import { cpSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, onTestFinished, test } from 'vitest'

const root = fileURLToPath(new URL('..', import.meta.url))

// whoever installs today gets the newest, and checks our declarations with it where `skipLibCheck` is off

test.each(['@types/node', 'types-node-26'])('the declarations compile beside %s', async (nodeTypes) => {
  const project = mkdtempSync(join(tmpdir(), 'kysely-jobs-node-types-'))
  onTestFinished(() => rmSync(project, { recursive: true, force: true }))
  const modules = join(project, 'node_modules')
  mkdirSync(join(modules, '@types'), { recursive: true })
  cpSync(join(root, 'dist'), join(modules, 'kysely-jobs/dist'), { recursive: true })
  cpSync(join(root, 'package.json'), join(modules, 'kysely-jobs/package.json'))
  for (const name of ['kysely', 'pg-types', 'pg-protocol', 'undici-types', '@types/pg'])
    symlinkSync(join(root, 'node_modules', name), join(modules, name), 'junction')
  symlinkSync(join(root, 'node_modules', nodeTypes), join(modules, '@types/node'), 'junction')
  writeFileSync(join(project, 'package.json'), '{ "type": "module" }')
  writeFileSync(
    join(project, 'app.ts'),
    `import type { Worker } from 'kysely-jobs'
     import type { createJobTable } from 'kysely-jobs/migrate'
     import { once } from 'node:events'
     export declare const worker: Worker<{ jobs: object }, 'jobs'>
     export declare const create: typeof createJobTable
     worker.on('idle', () => {})
     // @ts-expect-error there is no such event
     worker.on('idel', () => {})
     export const idle = once(worker, 'idle')
    `,
  )
  expect(await compiled(project)).toBe('')
})

function compiled(project: string): Promise<string> {
  const options = ['--noEmit', '--strict', '--target', 'es2023', '--module', 'nodenext', '--types', 'node']
  const script = join(root, 'node_modules/typescript/bin/tsc')
  return new Promise((resolve) => {
    const done = (_: unknown, stdout: string, stderr: string) => resolve(stdout + stderr)
    execFile(
      process.execPath,
      [script, '--singleThreaded', ...options, '--preserveSymlinks', 'app.ts'],
      { cwd: project },
      done,
    )
  })
}

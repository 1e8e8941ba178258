import { cpSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

export const root = fileURLToPath(new URL('../..', import.meta.url))

/**
 * An empty project in which we are installed as by npm: the files themselves, not a link, so that what we import is
 * looked up in this project.
 */
export function projectWithUs(kysely: 'kysely' | 'kysely-0.28', type: 'module' | 'commonjs'): string {
  const project = mkdtempSync(join(tmpdir(), 'kysely-jobs-installed-'))
  const us = join(project, 'node_modules/kysely-jobs')
  mkdirSync(us, { recursive: true })
  cpSync(join(root, 'package.json'), join(us, 'package.json'))
  cpSync(join(root, 'dist'), join(us, 'dist'), { recursive: true })
  link(project, kysely, 'kysely')
  const others = [
    'croner',
    'pg',
    'pg-listen',
    'pg-protocol',
    'pg-types',
    '@types/pg',
    '@types/node',
    'undici-types',
    'prom-client',
    '@opentelemetry/api',
  ]
  for (const name of others) link(project, name)
  writeFileSync(join(project, 'package.json'), JSON.stringify({ name: 'project', type }))
  return project
}

export function remove(project: string): void {
  rmSync(project, { recursive: true, force: true })
}

function link(project: string, name: string, as = name): void {
  const target = join(project, 'node_modules', as)
  mkdirSync(dirname(target), { recursive: true })
  symlinkSync(join(root, 'node_modules', name), target, 'junction')
}

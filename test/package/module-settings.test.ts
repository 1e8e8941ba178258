import { execFileSync } from 'node:child_process'
import { cpSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { type Compiler, sayingsOf } from '../support/compiler.js'
import { projectWithUs, remove, root } from './installed.js'

// A program that uses every entry point compiles by every setting by which Kysely itself does, and runs by `require`.

const projects = {
  'commonjs kysely-0.28': projectWithUs('kysely-0.28', 'commonjs'),
  'commonjs kysely': projectWithUs('kysely', 'commonjs'),
  'module kysely-0.28': projectWithUs('kysely-0.28', 'module'),
  'module kysely': projectWithUs('kysely', 'module'),
}
afterAll(() => Object.values(projects).forEach(remove))

type Project = keyof typeof projects
type Setting = readonly [
  compiler: Compiler,
  module: string,
  resolution: 'node10' | 'node16' | 'nodenext' | 'bundler',
  project: Project,
]
const settings: readonly Setting[] = [
  ['typescript-5.4', 'commonjs', 'node10', 'commonjs kysely-0.28'],
  ['typescript-5.9', 'commonjs', 'node10', 'commonjs kysely'],
  ['typescript-5.9', 'esnext', 'node10', 'module kysely-0.28'],
  ['typescript-5.9', 'node16', 'node16', 'commonjs kysely-0.28'],
  ['typescript-6', 'commonjs', 'bundler', 'commonjs kysely-0.28'],
  ['typescript', 'node16', 'node16', 'commonjs kysely-0.28'],
  ['typescript', 'node16', 'node16', 'module kysely-0.28'],
  ['typescript', 'node20', 'node16', 'commonjs kysely'],
  ['typescript', 'nodenext', 'nodenext', 'commonjs kysely-0.28'],
  ['typescript', 'nodenext', 'nodenext', 'commonjs kysely'],
  ['typescript', 'nodenext', 'nodenext', 'module kysely'],
  ['typescript', 'esnext', 'bundler', 'module kysely-0.28'],
  ['typescript', 'esnext', 'bundler', 'module kysely'],
  ['typescript', 'preserve', 'bundler', 'commonjs kysely-0.28'],
  ['typescript', 'preserve', 'bundler', 'commonjs kysely'],
]

test.each(settings)(
  'with %s, module %s, resolution %s in a project of %s it compiles',
  { timeout: 120_000 },
  async (...setting) => {
    expect(await compile(setting)).toBe('')
  },
)

test.each(['commonjs kysely-0.28', 'commonjs kysely'] as const)(
  'a %s program requires every entry point',
  (project) => {
    const names = [
      'kysely-jobs',
      ...['dashboard', 'ihp', 'migrate', 'pg', 'queue'].map((name) => `kysely-jobs/${name}`),
    ]
    writeFileSync(
      join(projects[project], 'required.js'),
      `for (const name of ${JSON.stringify(names)}) console.log(name, Object.keys(require(name)).length > 0)`,
    )
    const output = execFileSync(process.execPath, ['required.js'], { cwd: projects[project], encoding: 'utf8' })
    expect(output).toBe(names.map((name) => `${name} true\n`).join(''))
  },
)

function compile([compiler, module, moduleResolution, project]: Setting): Promise<string> {
  const folder = projects[project]
  for (const file of ['entry-points.ts', 'database.ts']) cpSync(join(root, 'test/types', file), join(folder, file))
  const compilerOptions = {
    target: 'es2022',
    lib: ['es2023', 'esnext.disposable'],
    types: ['node'],
    module,
    moduleResolution,
    strict: true,
    skipLibCheck: true,
    noEmit: true,
  }
  const tsconfig = join(folder, 'tsconfig.json')
  writeFileSync(tsconfig, JSON.stringify({ compilerOptions, files: ['entry-points.ts'] }))
  return sayingsOf(compiler, tsconfig)
}

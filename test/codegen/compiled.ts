import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { onTestFinished } from 'vitest'
import { type Compiler, sayingsOf } from '../support/compiler.js'

const root = new URL('../..', import.meta.url).pathname

export interface Project {
  readonly files: Readonly<Record<string, string>>
  /** Default: the newest. */
  readonly compiler?: Compiler
  readonly exactOptionalPropertyTypes?: boolean
  /** Whose global types there are. Default: Node's. */
  readonly types?: readonly string[]
}

/** What a compiler says of files in the folder of a user who installed us; empty where it has nothing to say. */
export async function compiled({
  files,
  compiler = 'typescript',
  types = ['node'],
  ...options
}: Project): Promise<string> {
  const folder = mkdtempSync(join(tmpdir(), 'kysely-jobs-user-'))
  onTestFinished(() => rmSync(folder, { recursive: true }))
  mkdirSync(join(folder, 'node_modules', '@types'), { recursive: true })
  for (const name of ['kysely', '@types/node']) link(`node_modules/${name}`, folder, name)
  link('.', folder, 'kysely-jobs')
  const settings = { strict: true, noUncheckedIndexedAccess: true, skipLibCheck: true, ...options }
  const compilerOptions = { ...settings, target: 'es2022', module: 'nodenext', types, noEmit: true }
  const tsconfig = join(folder, 'tsconfig.json')
  writeFileSync(tsconfig, JSON.stringify({ compilerOptions }))
  writeFileSync(join(folder, 'package.json'), JSON.stringify({ type: 'module' }))
  for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, name), text)
  return sayingsOf(compiler, tsconfig)
}

function link(target: string, folder: string, name: string): void {
  symlinkSync(join(root, target), join(folder, 'node_modules', name), 'junction')
}

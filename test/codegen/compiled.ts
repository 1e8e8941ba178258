import { execFile } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { onTestFinished } from 'vitest'

const root = new URL('../..', import.meta.url).pathname

/** The compilers a user may have: the oldest and the newest that we promise. */
export const compilers = {
  'TypeScript 5.4': 'node_modules/typescript-5.4/lib/tsc.js',
  'TypeScript 7': 'node_modules/typescript/bin/tsc',
} as const

export interface Project {
  readonly files: Readonly<Record<string, string>>
  readonly compiler?: keyof typeof compilers
  readonly exactOptionalPropertyTypes?: boolean
  /** Whose global types there are. Default: Node's. */
  readonly types?: readonly string[]
}

/** What a compiler says of files in the folder of a user who installed us; empty where it has nothing to say. */
export async function compiled({
  files,
  compiler = 'TypeScript 7',
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
  writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify({ compilerOptions }))
  writeFileSync(join(folder, 'package.json'), JSON.stringify({ type: 'module' }))
  for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, name), text)
  try {
    await promisify(execFile)(process.execPath, [join(root, compilers[compiler]), '-p', folder, '--pretty', 'false'])
    return ''
  } catch (error: any) {
    return error.stdout || String(error)
  }
}

function link(target: string, folder: string, name: string): void {
  symlinkSync(join(root, target), join(folder, 'node_modules', name), 'junction')
}

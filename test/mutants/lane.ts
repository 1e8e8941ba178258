import { execFileSync } from 'node:child_process'
import { cpSync, globSync, mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { compiled, type Mutant, mutated } from './mutant.ts'

/** A copy of the project into which faults are put, one after the other. */
export interface Lane {
  readonly folder: string
  /** Puts the fault in for as long as something is done. */
  withMutant<Value>(mutant: Mutant, work: () => Promise<Value>): Promise<Value>
}

const notCopied = new Set(['node_modules', 'dist', '.git'])

/** Copies the project; its packages are linked to. */
export function makeLane(project: string, folder: string): Lane {
  for (const name of readdirSync(project)) {
    if (!notCopied.has(name)) cpSync(join(project, name), join(folder, name), { recursive: true })
  }
  const packages = join(folder, 'node_modules') // a folder of its own, for what vitest keeps in it
  mkdirSync(packages)
  for (const name of readdirSync(join(project, 'node_modules'))) {
    if (!name.startsWith('.')) symlinkSync(join(project, 'node_modules', name), join(packages, name))
  }
  for (const file of sourcesIn(folder, '{src,codegen}/')) build(folder, file)
  bundleDashboard(folder)
  return {
    folder,
    async withMutant(mutant, work) {
      const path = join(folder, mutant.file)
      const sound = readFileSync(path, 'utf8')
      writeFileSync(path, mutated(folder, mutant))
      buildAnew(folder, mutant.file)
      try {
        return await work()
      } finally {
        writeFileSync(path, sound)
        buildAnew(folder, mutant.file)
      }
    },
  }
}

const dashboard = 'src/dashboard/'

const sourcesIn = (folder: string, part: string) =>
  globSync(`${part}**/*.{ts,tsx}`, { cwd: folder }).filter((file) => !file.endsWith('.d.ts'))

function buildAnew(folder: string, file: string): void {
  const isOfDashboard = file.startsWith(dashboard)
  const files = isOfDashboard ? sourcesIn(folder, dashboard) : [file]
  for (const each of files) build(folder, each)
  if (isOfDashboard) bundleDashboard(folder)
}

/** The processes that a test starts use dist/, as their users do. */
function build(folder: string, file: string): void {
  const path = join(folder, 'dist', file.replace(/\.tsx?$/, '.js'))
  mkdirSync(dirname(path), { recursive: true })
  writeFileSync(path, compiled(readFileSync(join(folder, file), 'utf8'), file))
}

/** It is one file, which takes the place of its modules. */
function bundleDashboard(folder: string): void {
  execFileSync(process.execPath, ['tools/build/dashboard.ts'], { cwd: folder, stdio: ['ignore', 'ignore', 'inherit'] })
}

import { mkdtempSync, rmSync, symlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'

const project = new URL('../../', import.meta.url)
const path = (file: string) => fileURLToPath(new URL(file, project))
const requires = `import { createRequire } from 'node:module'; const require = createRequire(import.meta.url)`

let folder: string | undefined
const made = new Map<string, Promise<string>>()

/** The program of a worker process in one file: of hundreds of modules each process would load one after the other. */
export function workerProgram(program = 'test/chaos/worker-process.ts'): Promise<string> {
  const known = made.get(program) ?? bundle(program)
  made.set(program, known)
  return known
}

/** To be called when no process of it runs any more. */
export function removeWorkerProgram(): void {
  if (folder !== undefined) rmSync(folder, { recursive: true, force: true })
}

function emptyFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'kysely-jobs-chaos-'))
  symlinkSync(path('node_modules'), join(folder, 'node_modules')) // pg-listen can't be bundled
  return folder
}

async function bundle(program: string): Promise<string> {
  folder ??= emptyFolder()
  const outfile = join(folder, basename(program).replace('.ts', '.mjs'))
  await build({
    ...{ entryPoints: [path(program)], outfile, bundle: true, platform: 'node', format: 'esm', target: 'node20' },
    ...{
      alias: { 'kysely-jobs/migrate': path('src/migrate/index.ts'), 'kysely-jobs': path('src/index.ts') },
      external: ['pg-native'],
      banner: { js: requires },
    },
  })
  return outfile
}

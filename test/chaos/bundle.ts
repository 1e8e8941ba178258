import { mkdtempSync, rmSync, symlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'

const project = new URL('../../', import.meta.url)
const path = (file: string) => fileURLToPath(new URL(file, project))
const requires = `import { createRequire } from 'node:module'; const require = createRequire(import.meta.url)`

let folder: string | undefined
let made: Promise<string> | undefined

/** The program of a worker process in one file: of hundreds of modules each process would load one after the other. */
export function workerProgram(): Promise<string> {
  made ??= bundle('test/chaos/worker-process.ts')
  return made
}

/** To be called when no process of it runs any more. */
export function removeWorkerProgram(): void {
  if (folder !== undefined) rmSync(folder, { recursive: true, force: true })
}

async function bundle(program: string): Promise<string> {
  folder = mkdtempSync(join(tmpdir(), 'kysely-jobs-chaos-'))
  symlinkSync(path('node_modules'), join(folder, 'node_modules')) // pg-listen can't be bundled
  const outfile = join(folder, 'worker-process.mjs')
  await build({
    ...{ entryPoints: [path(program)], outfile, bundle: true, platform: 'node', format: 'esm', target: 'node20' },
    ...{ alias: { 'kysely-jobs': path('src/index.ts') }, external: ['pg-native'], banner: { js: requires } },
  })
  return outfile
}

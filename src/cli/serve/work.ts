import { existsSync } from 'node:fs'
import { resolve } from 'node:path'
import type { Kysely } from 'kysely'
import { createRunner, type Runner } from '../../runner/runner.js'
import type { RunnableWorker } from '../../runner/runner-options.js'
import type { Schedule } from '../../schedule/schedule.js'
import { importFile } from '../open/import-file.js'
import { complain } from '../show/tell.js'
import { OptionError, type Terminal } from '../terminal.js'

/** `kysely-jobs work` */
export async function work(terminal: Terminal, file: string | undefined): Promise<0> {
  if (file === undefined) throw new OptionError('Which module? Give its file, as in kysely-jobs work ./worker.ts')
  const path = resolve(file)
  if (!existsSync(path)) throw new OptionError(`There is no file ${file}`)
  // Our other commands keep warnings to themselves; these are of the user's program.
  process.on('warning', ({ name, message }) => terminal.stderr.write(`${name}: ${message}\n`))
  const exported = exportedBy(await importFile(path, file))
  const { runner, databases } = runnerOf(exported, file)
  tellOf(runner, terminal)
  await runner.run()
  complain(terminal.stderr, 'stopped')
  for (const db of databases) await db.destroy()
  // A pool of the module's own, which nobody could close, holds the process up for as long as its connections idle.
  if (databases.size === 0) terminal.exit?.(0)
  return 0
}

/** One line when all work, and one where the module was given no database. */
function tellOf(runner: Runner, { stderr, env }: Terminal): void {
  const { workers } = runner
  let waiting = workers.length
  runner.on('started', () => {
    waiting -= 1
    if (waiting > 0) return
    const names = workers.map((worker) => {
      const concurrency = worker.describe?.()?.concurrency
      return concurrency === undefined ? worker.table : `${worker.table} (${concurrency} at once)`
    })
    complain(stderr, `works ${names.join(', ')}; Ctrl-C stops`)
  })
  let isTold = Boolean(env.DATABASE_URL || env.PGHOST)
  runner.on('error', ({ doing }) => {
    if (isTold || !doing.startsWith('starting')) return
    isTold = true
    complain(stderr, 'DATABASE_URL is not set: set it, if the module is to read it')
  })
}

/** A worker, whichever copy of this package made it. */
interface ExportedWorker extends RunnableWorker {
  readonly db: Kysely<unknown>
}

interface Exported {
  readonly workers: readonly ExportedWorker[]
  readonly runners: readonly Runner[]
  readonly schedules: readonly Schedule[]
  readonly names: readonly string[]
}

/** What it exports, of whatever name, alone or in lists. */
function exportedBy(module: Readonly<Record<string, unknown>>): Exported {
  const all = [
    ...new Set(Object.values(module).flatMap((value): unknown[] => (Array.isArray(value) ? value : [value]))),
  ]
  return {
    workers: all.filter(isWorker),
    runners: all.filter(isRunner),
    schedules: all.filter(isSchedule),
    names: Object.keys(module),
  }
}

const isWorker = (value: unknown): value is ExportedWorker =>
  has(value, 'start', 'stop', 'health', 'on') && 'table' in value && 'db' in value

const isRunner = (value: unknown): value is Runner => has(value, 'start', 'stop', 'health', 'run')

const isSchedule = (value: unknown): value is Schedule =>
  typeof value === 'object' && value !== null && 'jobs' in value && 'recurrence' in value && 'table' in value

function has(value: unknown, ...methods: string[]): value is object {
  return (
    typeof value === 'object' &&
    value !== null &&
    methods.every((name) => typeof Reflect.get(value, name) === 'function')
  )
}

/** A module that has nothing to run. */
class WorkError extends Error {
  override readonly name = 'WorkError'
  readonly code = 'CONFIG'
}

/** @throws WorkError, RunnerOptionError */
function runnerOf({ workers, runners, schedules, names }: Exported, file: string) {
  const [runner, another] = runners
  if (another !== undefined)
    throw new WorkError(`${file} exports ${runners.length} runners: export one, or its workers`)
  if (runner !== undefined) return { runner, databases: new Set<Kysely<unknown>>() }
  const db = workers[0]?.db
  if (db === undefined) {
    const found = names.length === 0 ? 'it exports nothing' : `it exports ${names.join(', ')}`
    throw new WorkError(
      `${file} exports no worker: write export const mail = createWorker(db, 'mail_jobs', handler); ${found}`,
    )
  }
  const options = schedules.length === 0 ? { workers } : { workers, schedules }
  return { runner: createRunner(db, options), databases: new Set(workers.map((worker) => worker.db)) }
}

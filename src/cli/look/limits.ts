import type { Kysely } from 'kysely'
import { limitUse } from '../../observe/limit-use.js'
import { type KeptLimit, listLimits } from '../../queue/limit-jobs.js'
import { listRunners } from '../../records/runners.js'
import type { WorkerLimit } from '../../records/worker-state.js'
import { type JobDatabase, jobsOf } from '../../schema/job-database.js'
import { SideTableError } from '../../schema/side-table.js'
import { type CliTable, looking, type Place, tablesNamed, viewOf, withTables } from '../open/tables.js'
import { keyText } from '../show/key-text.js'
import { paintFor } from '../show/paint.js'
import { jsonText } from '../show/safe-text.js'
import { tableText } from '../show/table-text.js'
import type { Terminal } from '../terminal.js'

interface LimitsOptions extends Place {
  readonly json?: boolean | undefined
  readonly table?: readonly string[] | undefined
}

/** A limit, and how far it is. */
interface FoundLimit {
  readonly table: string
  /** Of no columns: all jobs of the table. */
  readonly where: Readonly<Record<string, string>>
  readonly running: number
  /** Null: a column of the job says it, or the worker sets none for each key. */
  readonly max: number | null
  /** Who set it: `limitJobs`, or the options of workers. */
  readonly by: 'limitJobs' | 'worker'
}

/** `kysely-jobs limits` */
export async function limits(options: LimitsOptions, terminal: Terminal, named: string | undefined): Promise<0> {
  const names = [...(named === undefined ? [] : [named]), ...(options.table ?? [])]
  const found = await withTables(options, terminal, (opened) =>
    looking(opened, async (db) => {
      const workers = (await ifThere(listRunners(db))).flatMap(({ alive, workers }) => (alive ? workers : []))
      const found: FoundLimit[] = []
      for (const named of tablesNamed(opened, names)) {
        const { schema, name } = named.table
        const own = workers.filter((worker) => worker.schema === schema && worker.table === name)
        found.push(
          ...(await limitsOf(
            db,
            named,
            own.flatMap(({ limit }) => limit ?? []),
          )),
        ) // each table has its own
      }
      return found
    }),
  )
  const { stdout } = terminal
  if (options.json) stdout.write(`${jsonText({ limits: found }, 2)}\n`)
  else stdout.write(found.length === 0 ? 'No limit is known.\n' : limitsText(found, terminal))
  return 0
}

/** Those of workers for each key that has jobs running, but where `limitJobs` has set another; and all that it has set. */
async function limitsOf(db: Kysely<JobDatabase>, { written, ...shown }: CliTable, given: readonly WorkerLimit[]) {
  const view = await viewOf(db, { ...shown, written, hide: [] })
  const kept = await ifThere<KeptLimit>(listLimits(db, jobsOf(db, written).name))
  const uses = new Map<string, number>()
  const found: FoundLimit[] = []
  const read = async (by: readonly string[]) => {
    const keys = await limitUse(db, view, by)
    for (const { key, running } of keys) uses.set(keyText(key), running)
    return keys
  }
  for (const limit of new Map(given.map((each) => [JSON.stringify(each), each])).values()) {
    for (const { key, running } of await read(limit.by)) {
      const isSet = kept.some(({ where = {} }) => keyText(where) === keyText(key))
      const max = limit.max ?? (limit.by.length === 0 ? (limit.total ?? null) : null)
      if (!isSet) found.push({ table: written, where: key, running, max, by: 'worker' })
    }
  }
  for (const { where = {}, max } of kept) {
    if (!uses.has(keyText(where))) await read(Object.keys(where))
    found.push({ table: written, where, running: uses.get(keyText(where)) ?? 0, max, by: 'limitJobs' })
  }
  return found
}

function limitsText(found: readonly FoundLimit[], terminal: Terminal): string {
  const paint = paintFor(terminal.stdout, terminal)
  return tableText<FoundLimit>(
    [
      { title: 'TABLE', text: ({ table }) => table, least: 12 },
      { title: 'KEY', text: ({ where }) => keyText(where) || 'all jobs', least: 12 },
      {
        title: 'RUNNING',
        text: ({ running }) => String(running),
        isNumber: true,
        paint: (text, { running, max }) => (max !== null && running >= max ? paint.warn(text) : text),
      },
      { title: 'MAX', text: ({ max }) => (max === null ? 'by column' : String(max)), isNumber: true },
      { title: 'BY', text: ({ by }) => by },
    ],
    found,
    { width: terminal.stdout.columns, title: paint.quiet },
  )
}

/** Where the table of such things was never made, there are none. */
async function ifThere<T>(asked: Promise<T[]>): Promise<T[]> {
  try {
    return await asked
  } catch (error) {
    if (error instanceof SideTableError && error.code === 'NO_SIDE_TABLE') return []
    throw error
  }
}

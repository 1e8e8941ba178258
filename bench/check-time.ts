import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

/**
 * What the types cost: the time that each compiler takes to check a program on a database of 500 tables, without us
 * and with us. The program inserts into and selects from 50 of them in plain Kysely; with us it also has, for each of its ten job
 * tables, a worker, an enqueue, and one more of what reads the table's type. Both are compiled in turn, against dist/, and the quickest runs are compared:
 * whatever else the machine does only adds. Build first.
 *
 *   node bench/check-time.ts [runs]
 */
const tableCount = 500
const queriedCount = 50
const jobTableCount = 10
const limit = 1.3
const runs = Number(process.argv[2] ?? 7)

const jobStatuses = ['not_started', 'running', 'failed', 'timed_out', 'succeeded', 'retry', 'cancelled']
const jobColumns = `  updated_at: Generated<Timestamp>
  status: Generated<JobStatus>
  last_error: string | null
  attempts_count: Generated<number>
  locked_at: Timestamp | null
  locked_by: string | null
  run_at: Generated<Timestamp>
  priority: Generated<number>
`

/** What reads a table's type beside that: each job table has one of them. */
const ways: readonly ((table: string, column: string) => string)[] = [
  (table) => `createWorker(db, '${table}', () => {}, { limit: { max: 20 }, priorityAging: '10m' })`,
  (table) =>
    `createWorker(db, '${table}', () => {}, { limit: { by: 'kind', max: 2 }, fairBy: 'kind', select: ['kind'] })`,
  (table, column) =>
    `createWorker(db, '${table}', () => {}, { fifo: ['kind', '${column}'], rate: { max: 10, per: '1s' } })`,
  (table) => `createWorker(db, '${table}', () => {}, { where: (eb) => eb('kind', '=', 'one').and('amount', '>', 5) })`,
  (table, column) =>
    `await enqueue(db, '${table}', { ${column}: 'a', kind: 'two' }, { unique: ['${column}', 'kind'] })`,
  (table, column) => `const values_${table} = { ${column}: 'a', kind: 'two' } as const
createRunner(db, { workers: [], schedules: [schedule(db, '${table}', { name: 'daily', cron: '@daily', values: values_${table} })] })`,
]

const program = `import { Kysely, PostgresDialect } from 'kysely'
import pg from 'pg'
import type { DB } from './database.js'
const db = new Kysely<DB>({ dialect: new PostgresDialect({ pool: new pg.Pool() }) })
`
const root = fileURLToPath(new URL('..', import.meta.url))
const project = mkdtempSync(join(tmpdir(), 'kysely-jobs-check-time-'))
try {
  writeProject()
  const rows = ['typescript-5.4', 'typescript-5.9', 'typescript-6', 'typescript'].map(measure)
  console.log(
    `${tableCount} tables, ${jobTableCount} of them job tables; the quickest of ${runs} runs, seconds of checking`,
  )
  console.table(rows)
  const worst = Math.max(...rows.map(({ ratio }) => ratio))
  console.log(`worst ratio ${worst.toFixed(2)}, must be below ${limit}`)
  process.exitCode = worst < limit ? 0 : 1
} finally {
  rmSync(project, { recursive: true, force: true })
}

function measure(compiler: string) {
  const times = { without: [] as number[], with: [] as number[] }
  for (let run = 0; run < runs; run++) {
    times.without.push(check(compiler, 'without'))
    times.with.push(check(compiler, 'with'))
  }
  const [without, withUs] = [Math.min(...times.without), Math.min(...times.with)]
  const { version } = JSON.parse(readFileSync(join(root, 'node_modules', compiler, 'package.json'), 'utf8'))
  return { TypeScript: version, 'without us': without, 'with us': withUs, ratio: round(withUs / without) }
}

/** Seconds that the compiler says it spent checking. */
function check(compiler: string, program: 'with' | 'without'): number {
  const script = join(root, 'node_modules', compiler, compiler === 'typescript' ? 'bin/tsc' : 'lib/tsc.js')
  const config = join(project, `tsconfig.${program}.json`)
  const output = execFileSync(process.execPath, [script, '-p', config, '--extendedDiagnostics'], { encoding: 'utf8' })
  const seconds = output.match(/^Check time:\s+([\d.]+)s$/m)?.[1]
  if (seconds === undefined) throw new Error(`${compiler} did not tell its check time:\n${output}`)
  return Number(seconds)
}

function round(value: number): number {
  return Math.round(value * 100) / 100
}

function writeProject(): void {
  mkdirSync(join(project, 'node_modules'))
  symlinkSync(root, join(project, 'node_modules/kysely-jobs'), 'junction')
  for (const name of ['kysely', 'pg', '@types']) {
    symlinkSync(join(root, 'node_modules', name), join(project, 'node_modules', name), 'junction')
  }
  const compilerOptions = {
    target: 'es2022',
    lib: ['es2023', 'esnext.disposable'],
    types: ['node'],
    module: 'nodenext',
    strict: true,
    skipLibCheck: true,
    noEmit: true,
  }
  const files = {
    'package.json': '{ "type": "module" }',
    'database.ts': database(),
    'without.ts': [program, ...spread(queriedCount).map(queries)].join(''),
    'with.ts': [
      "import { createRunner, createWorker, enqueue, schedule } from 'kysely-jobs'\n",
      program,
      ...spread(queriedCount).map(queries),
      ...spread(jobTableCount).map(jobs),
    ].join(''),
    'tsconfig.without.json': JSON.stringify({ compilerOptions, files: ['without.ts'] }),
    'tsconfig.with.json': JSON.stringify({ compilerOptions, files: ['with.ts'] }),
  }
  for (const [name, text] of Object.entries(files)) writeFileSync(join(project, name), text)
}

/** So many of the tables' numbers, spread evenly. */
function spread(count: number): number[] {
  return Array.from({ length: count }, (_, index) => index * (tableCount / count))
}

function database(): string {
  const indices = spread(tableCount)
  const jobTables = new Set(spread(jobTableCount))
  const interfaces = indices.map(
    (index) => `export interface Table${index} {
  id: Generated<string>
  created_at: Generated<Timestamp>
  name_${index}: string
  amount: number | null
  kind: 'one' | 'two' | 'three'
  data: { a: string; b: number[] } | null
${jobTables.has(index) ? jobColumns : '  updated_at: Generated<Timestamp>\n'}}`,
  )
  return `import type { ColumnType } from 'kysely'
export type Generated<T> = T extends ColumnType<infer S, infer I, infer U> ? ColumnType<S, I | undefined, U> : ColumnType<T, T | undefined, T>
export type Timestamp = ColumnType<Date, Date | string, Date | string>
export type JobStatus = ${jobStatuses.map((status) => `'job_status_${status}'`).join(' | ')}
${interfaces.join('\n')}
export interface DB {
${indices.map((index) => `  table_${index}: Table${index}`).join('\n')}
}
`
}

function queries(index: number): string {
  return `
await db.insertInto('table_${index}').values({ name_${index}: 'a', kind: 'one' }).returningAll().executeTakeFirstOrThrow()
const rows${index} = await db.selectFrom('table_${index}').select(['id', 'kind', 'data']).where('name_${index}', '=', 'a').execute()
for (const row of rows${index}) console.log(row.id, row.data?.b[0]?.toFixed(1))
`
}

function jobs(index: number, place: number): string {
  return `
await enqueue(db, 'table_${index}', { name_${index}: 'a', kind: 'one' })
createWorker(db, 'table_${index}', async (job, { attempt }) => {
  console.log(job.name_${index}, job.data?.b[0]?.toFixed(1), attempt)
}, { maxAttempts: (job) => (job.kind === 'one' ? 3 : 5) })
${ways[place % ways.length]?.(`table_${index}`, `name_${index}`)}
`
}

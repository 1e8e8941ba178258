import type { Kysely } from 'kysely'
import type { DB } from '../db.ts'
import type { Verification } from './verify.ts'
import { count, firstLine } from './words.ts'

/** The most failures that are listed. */
const listed = 20

/** The table at the end, read from the job table; the time is in seconds. */
export async function report(
  db: Kysely<DB>,
  elapsed: number,
  { equal, wrong, changed }: Verification,
): Promise<string> {
  const jobs = await totals(db)
  const takenOver = await takeovers(db)
  const failures = await failed(db)
  const rows: [string, string][] = [
    ['files', count(jobs.files)],
    ['bytes', count(jobs.bytes)],
    ['lines', count(jobs.lines)],
    ['jobs per second', count(jobs.files / elapsed)],
    ['taken over from the dead worker', count(takenOver)],
    ['retries', count(jobs.attempts - jobs.files - takenOver)],
    ['failed', count(failures.length)],
    ['digests equal to a second computation', `${count(equal)} of ${count(equal + wrong.length)}`],
  ]
  const width = Math.max(...rows.map(([, value]) => value.length))
  return [
    ...rows.map(([label, value]) => `  ${label.padEnd(40)}${value.padStart(width)}`),
    ...list('Failed, and why:', failures),
    ...list('Written to while the demo ran, hence not compared:', changed),
    ...list('WRONG DIGESTS:', wrong),
  ].join('\n')
}

async function totals(db: Kysely<DB>) {
  const sums = await db
    .selectFrom('file_jobs')
    .select(({ fn }) => [
      fn.countAll().as('files'),
      fn.sum('size').as('bytes'),
      fn.sum('lines').as('lines'),
      fn.sum('attempts_count').as('attempts'),
    ])
    .executeTakeFirstOrThrow()
  return {
    files: Number(sums.files),
    bytes: BigInt(sums.bytes ?? 0),
    lines: BigInt(sums.lines ?? 0),
    attempts: Number(sums.attempts ?? 0),
  }
}

/** `errors` keeps how each failed attempt ended; a rescue says that the lease expired. */
async function takeovers(db: Kysely<DB>): Promise<number> {
  const rows = await db.selectFrom('file_jobs').select('errors').where('errors', 'is not', null).execute()
  const attempts = rows.flatMap(({ errors }) => errors as unknown as { error: string }[]) // as the queue writes it
  return attempts.filter(({ error }) => error.startsWith('Lease expired')).length
}

async function failed(db: Kysely<DB>): Promise<string[]> {
  const rows = await db
    .selectFrom('file_jobs')
    .select(['path', 'last_error', 'attempts_count'])
    .where('status', '<>', 'job_status_succeeded')
    .orderBy('path')
    .execute()
  return rows.map((job) => `${job.path}, ${job.attempts_count} attempts: ${firstLine(job.last_error ?? 'no reason')}`)
}

function list(title: string, lines: readonly string[]): string[] {
  if (lines.length === 0) return []
  const more = lines.length > listed ? [`    and ${count(lines.length - listed)} more`] : []
  return ['', `  ${title}`, ...lines.slice(0, listed).map((line) => `    ${line}`), ...more]
}

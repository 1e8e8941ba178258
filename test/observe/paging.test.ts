import fc from 'fast-check'
import { type Kysely, sql } from 'kysely'
import { createJobTable } from 'kysely-jobs/migrate'
import { describe, expect, test } from 'vitest'
import { parseFilter } from '../../src/observe/filter-text.js'
import { findJobs } from '../../src/observe/find-jobs.js'
import { type ShownState, shownStates } from '../../src/observe/shown-state.js'
import { jobView } from '../../src/observe/view.js'
import { testDatabase } from '../support/database.js'
import { allPages, toldAs } from './reading-all.js'

const { db } = await testDatabase()

const statuses = ['not_started', 'retry', 'running', 'failed', 'timed_out', 'cancelled', 'succeeded'] as const
/** Few times and values, so that many are the same. */
const row = fc.record({
  status: fc.constantFrom(...statuses),
  minutes: fc.integer({ min: -2, max: 2 }),
  isArchived: fc.boolean(),
  note: fc.constantFrom(null, '', 'a', 'B', 'ä'),
  size: fc.constantFrom(null, 0, 1, 2),
})
type Row = typeof row extends fc.Arbitrary<infer R> ? R : never

interface Filled extends Row {
  readonly id: number
}

/** Puts rows where they may be: only jobs that have ended are in the archive. In one transaction, which has one `now()`. */
async function fill(table: string, rows: readonly Row[], hasArchive: boolean): Promise<Filled[]> {
  const filled = rows.map((given, place) => ({
    ...given,
    id: (place * 7) % 100, // not in the order of time
    isArchived: given.isArchived && hasArchive && statuses.indexOf(given.status) > 2,
  }))
  const jobs = filled.map(({ id, status, minutes, isArchived, note, size }) => {
    const time = sql`timestamptz '2026-01-01' + ${minutes} * interval '1 min'`
    const started = status === 'running' ? time : null
    const times = { updated_at: time, created_at: time, run_at: sql`now() + ${minutes || 0.5} * interval '1 h'` }
    const job = { id, status: `job_status_${status}`, attempts_count: 1, note, size, locked_at: started, ...times }
    return { isArchived, job: table === 'jobs_0' ? { ...job, started_at: started } : job }
  })
  await db.transaction().execute(async (trx) => {
    for (const isArchived of hasArchive ? [false, true] : [false]) {
      const name = isArchived ? `${table}_archive` : table
      await sql`truncate ${sql.table(name)}`.execute(trx)
      const values = jobs.filter((each) => each.isArchived === isArchived).map(({ job }) => job)
      if (values.length > 0)
        await trx
          .insertInto(name)
          .values(values as any)
          .execute()
    }
  })
  return filled
}

const inState: Record<ShownState, (row: Filled) => boolean> = {
  running: ({ status }) => status === 'running',
  due: ({ status, minutes }) => ['not_started', 'retry'].includes(status) && minutes < 0,
  scheduled: ({ status, minutes }) => status === 'not_started' && minutes >= 0,
  retrying: ({ status, minutes }) => status === 'retry' && minutes >= 0,
  failed: ({ status }) => status === 'failed',
  timedOut: ({ status }) => status === 'timed_out',
  cancelled: ({ status }) => status === 'cancelled',
  succeeded: ({ status }) => status === 'succeeded',
}

type Key = number | string | boolean | null
const compare = (one: Key, other: Key) => {
  if (one === null || other === null) return Number(one === null) - Number(other === null)
  if (typeof one === 'string') return Buffer.compare(Buffer.from(one), Buffer.from(String(other)))
  return Number(one) - Number(other)
}
const by = (one: readonly Key[], other: readonly Key[]) =>
  one.map((key, n) => compare(key, other[n] ?? null)).find((order) => order !== 0) ?? 0
const groupOf = ({ status }: Filled) => (status === 'running' ? 0 : ['not_started', 'retry'].includes(status) ? 1 : 2)
/** The natural order. */
const naturally = (a: Filled, b: Filled) => {
  const [group, other] = [groupOf(a), groupOf(b)]
  if (group !== other) return group - other
  const sign = group === 2 ? -1 : 1
  const time = ({ minutes }: Filled) => (group === 1 ? minutes || 0.5 : minutes)
  return sign * by([time(a), a.id, a.isArchived], [time(b), b.id, b.isArchived])
}
const sorted = (column: 'note' | 'size' | 'id', descending: boolean) => (a: Filled, b: Filled) => {
  if (a[column] === null || b[column] === null) {
    if (a[column] !== b[column]) return compare(a[column], b[column])
  } else if (a[column] !== b[column]) return (descending ? -1 : 1) * compare(a[column], b[column])
  return (descending ? -1 : 1) * by([a.id, a.isArchived], [b.id, b.isArchived])
}

const note = (table: any) => table.addColumn('note', 'text').addColumn('size', 'integer')
const kinds: [name: string, make: (db: Kysely<any>, name: string) => Promise<unknown>, hasArchive: boolean][] = [
  [
    'a table with an archive',
    (db, name) => createJobTable(db, name, note, { id: 'int', archive: {}, columns: ['started_at'] }),
    true,
  ],
  [
    'a table with priorities',
    (db, name) => createJobTable(db, name, note, { id: 'int', columns: ['priority'] }),
    false,
  ],
  [
    'a table without any index but that of its key',
    async (db, name) => {
      await createJobTable(db, name, note, { id: 'int' })
      await sql
        .raw(`drop index job_ready_${name}, job_running_${name}, job_finished_${name}, job_failed_${name}`)
        .execute(db)
    },
    false,
  ],
  [
    'a table with indexes of its own',
    async (db, name) => {
      await createJobTable(db, name, note, { id: 'int', archive: {} })
      await sql
        .raw(
          `create index on ${name} (run_at); create index on ${name} (note, size); create index on ${name}_archive (updated_at)`,
        )
        .execute(db)
    },
    true,
  ],
]

describe.each(kinds)('%s', (kind, make, hasArchive) => {
  const name = `jobs_${kinds.findIndex(([each]) => each === kind)}`
  test('is paged through, both ways, so that each job comes once and in order, whatever is asked for', async () => {
    await make(db, name)
    const view = await jobView(db, name)
    const order = fc.record({
      column: fc.constantFrom('note' as const, 'size' as const, 'id' as const),
      descending: fc.boolean(),
    })
    const states = fc.oneof(fc.constant([...shownStates]), fc.subarray([...shownStates], { minLength: 1 }))
    const filter = fc.constantFrom(undefined, 'note=a', 'size>=1', 'note is empty', 'note=B&size=1')
    await fc.assert(
      fc.asyncProperty(
        fc.array(row, { maxLength: 25 }),
        states,
        fc.option(order, { nil: undefined }),
        filter,
        fc.integer({ min: 1, max: 9 }),
        async (rows, states, sort, filter, limit) => {
          const filled = await fill(name, rows, hasArchive)
          const meets = (row: Filled) => {
            if (filter === 'note=a') return row.note === 'a'
            if (filter === 'note=B&size=1') return row.note === 'B' && row.size === 1
            if (filter === 'size>=1') return row.size !== null && row.size >= 1
            return filter === undefined || row.note === null || row.note === ''
          }
          const wanted = filled.filter((row) => states.some((state) => inState[state](row)) && meets(row))
          const expected = wanted
            .toSorted(sort ? sorted(sort.column, sort.descending) : naturally)
            .map((row) => toldAs({ ...row, id: String(row.id) }))
          const filters = (filter?.split('&') ?? []).map((text) => parseFilter(view, text))
          const { forth, back } = await allPages(db, view, { states, sort, filters, limit })
          expect(forth).toEqual(expected)
          expect(back).toEqual(expected)
        },
      ),
      { numRuns: 50 },
    )
  })
})

test('a cursor that is damaged, of another list, or made up is refused', async () => {
  await createJobTable(db, 'mail_jobs', note, { id: 'int' })
  const view = await jobView(db, 'mail_jobs')
  await fill(
    'mail_jobs',
    Array.from({ length: 3 }, () => ({
      status: 'failed' as const,
      minutes: 1,
      isArchived: false,
      note: null,
      size: 1,
    })),
    false,
  )
  const { next } = await findJobs(db, view, { limit: 1 })
  expect(next).toBeDefined()
  const parts = JSON.parse(Buffer.from(next ?? '', 'base64url').toString())
  const forged = (change: (parts: any[]) => void) => {
    const copy = structuredClone(parts)
    change(copy)
    return Buffer.from(JSON.stringify(copy)).toString('base64url')
  }
  const refused = [
    ...['', 'x', next?.slice(3) ?? '', Buffer.from('[1,2]').toString('base64url')],
    ...[forged((p) => (p[1] = 9)), forged((p) => (p[1] = -1)), forged((p) => (p[2] = "'; drop table mail_jobs --"))],
    ...[
      forged((p) => (p[2] = 5)),
      forged((p) => (p[3] = '=abc')),
      forged((p) => (p[3] = 'abc')),
      forged((p) => (p[3] = '=a\0')),
    ],
  ]
  for (const after of refused) {
    await expect(findJobs(db, view, { limit: 1, after })).rejects.toMatchObject({ code: 'CURSOR' })
    await expect(findJobs(db, view, { limit: 1, before: after })).rejects.toMatchObject({ code: 'CURSOR' })
  }
  await expect(findJobs(db, view, { states: ['failed'], after: next })).rejects.toMatchObject({
    message: expect.stringContaining('another list'),
  })
  await expect(findJobs(db, view, { sort: { column: 'size' }, after: next })).rejects.toMatchObject({ code: 'CURSOR' })
  await fc.assert(
    fc.asyncProperty(fc.json(), async (json) => {
      const after = Buffer.from(json).toString('base64url')
      await expect(findJobs(db, view, { limit: 1, after })).rejects.toMatchObject({ code: 'CURSOR' })
    }),
  )
})

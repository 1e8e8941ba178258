import { setTimeout as sleep } from 'node:timers/promises'
import { sql } from 'kysely'
import { addJobColumns, createJobIndexes, dropJobIndexes } from 'kysely-jobs/migrate'
import { Arena } from '../arena.ts'
import { atMost, longest, type Result, type Scenario, type Stage, seconds } from '../scenario.ts'
import { epoch } from '../witness.ts'

const day = 86_400_000
/** Past what a timer of 31 bits can count. */
const [pollInterval, timeout] = [40 * day, 60 * day]

/** How soon after its enqueue a job must begin, whatever else the table holds. */
const promised = 1_000

const running = "status = 'job_status_running'"
const someone = 'locked_by = gen_random_uuid()'

/** What a hand may leave in a row, and what must become of it. */
const oddRows: Readonly<Record<'succeeded' | 'failed' | 'untouched', readonly string[]>> = {
  succeeded: [
    ...['-infinity', '4713-11-24 00:00:00+00 BC', '1969-12-31'].map((time) => `run_at = '${time}'`),
    ...[-2_147_483_648, -1, 2_000_000_000, 2_147_483_647].map((count) => `attempts_count = ${count}`),
    ...[-32_768, 32_767].map((level) => `priority = ${level}`),
    ...[-2_147_483_648, 2_147_483_647].map((limit) => `max_attempts = ${limit}`),
    ...["'null'", "'{}'", "'7'"].map((history) => `errors = ${history}`),
    "created_at = 'infinity', updated_at = 'infinity'",
    "updated_at = '-infinity', locked_at = 'infinity'",
    "last_error = 'Lease expired (999999999 in a row): by a hand'",
    ...[someone, `${someone}, locked_at = 'infinity'`], // a lock that is no lease, or is over
    running,
    `${running}, ${someone}`,
    `${running}, ${someone}, locked_at = 'infinity'`,
    `${running}, ${someone}, locked_at = now() + interval '10 years'`,
    `${running}, locked_at = '-infinity', run_at = '4713-11-24 00:00:00+00 BC'`,
    `${running}, locked_at = '-infinity', last_error = 'Lease expired (999999999 in a row): by a hand'`,
  ],
  failed: [
    `${running}, ${someone}, attempts_count = 2147483647`,
    `${running}, ${someone}, locked_at = '-infinity', max_attempts = -5`,
  ],
  untouched: [
    ...['infinity', '9999-12-31', '294276-12-31 23:59:59+00'].map((time) => `run_at = '${time}'`),
    `status = 'job_status_succeeded', ${someone}, locked_at = 'infinity'`,
  ],
}

const amounts = { test: 20_000, short: 1_000_000, long: 5_000_000 }

export const extremeRows: Scenario = {
  name: 'R13',
  promise: 'rows at every extreme, timers past 2^31 ms, a million future rows: none breaks the fetch for others',
  run: (stage) =>
    Arena.play(stage.servers, { lease: 1_500, pollInterval, timeout }, (arena) => amidExtremes(arena, stage)),
}

async function amidExtremes(arena: Arena, { form, say }: Stage): Promise<Result> {
  await addJobColumns(arena.db, 'chaos_jobs', { columns: ['priority', 'max_attempts', 'errors', 'finished_at'] })
  await dropJobIndexes(arena.db, 'chaos_jobs')
  await createJobIndexes(arena.db, 'chaos_jobs')
  const odd = await leaveOddRows(arena)
  await arena.enqueue(50, { act: 'work', takes: 20 })
  say(`${odd.length} odd rows`)
  await arena.start(1)
  const strange = await becameOf(arena, odd)
  const before = longest(await wakeUps(arena))
  say(`${amounts[form]} jobs that are due in 40 days`)
  await fillFuture(arena, amounts[form])
  const after = longest(await wakeUps(arena))
  const asked = await statementsAtRest(arena)
  // to delete a million rows takes longer than to put the others aside
  await sql`create table others as select * from chaos_jobs where run_at < now()`.execute(arena.db)
  await sql`truncate chaos_jobs`.execute(arena.db)
  await sql`insert into chaos_jobs select * from others`.execute(arena.db)
  const { breaches } = await arena.verdict()
  return {
    breaches: [
      ...strange,
      ...breaches,
      ...atMost(form, promised, before, 'a job began amid odd rows'),
      ...atMost(form, promised, after, `a job began amid ${amounts[form]} future ones`),
      // a look each third of the lease; a timer that overflows asks hundreds of times
      ...(asked > 30 ? [`a worker at rest sent ${asked} statements in 2 s`] : []),
    ],
    figures: {
      'odd rows': odd.length,
      'future rows': amounts[form],
      'begun within': `${seconds(before)} before, ${seconds(after)} amid`,
      'statements in 2 s at rest': asked,
    },
  }
}

/** Jobs of later, at once: past the trigger, which would look through all of them for the earliest. */
function fillFuture(arena: Arena, count: number): Promise<unknown> {
  return arena.db.transaction().execute(async (trx) => {
    await sql`set local session_replication_role = replica`.execute(trx)
    await sql`insert into chaos_jobs (act, takes, run_at) select 'work', 0, now() + interval '40 days' + n * interval '1 ms'
      from generate_series(1, ${sql.lit(count)}) n`.execute(trx)
  })
}

interface OddRow {
  readonly id: string
  readonly holds: string
  readonly expected: string
}

async function leaveOddRows(arena: Arena): Promise<OddRow[]> {
  const rows: OddRow[] = []
  for (const [expected, left] of Object.entries(oddRows)) {
    const ids = await arena.enqueue(left.length, { act: 'work', takes: 20 })
    for (const [i, holds] of left.entries()) {
      const id = ids[i] ?? ''
      await sql`update chaos_jobs set ${sql.raw(holds)} where id = ${id}`.execute(arena.db)
      rows.push({ id, holds, expected })
    }
  }
  await sql`delete from moves`.execute(arena.db) // what our own hand did
  return rows
}

/**
 * Waits until what can end has, says which rows did not become what they must, and takes them away: the leases that
 * a hand wrote were never leases, and no invariant knows of them.
 */
async function becameOf(arena: Arena, odd: readonly OddRow[]): Promise<string[]> {
  const ids = odd.map(({ id }) => id)
  const waiting = odd.filter(({ expected }) => expected === 'untouched')
  const expected = waiting.filter(({ holds }) => !holds.startsWith('status')).length
  for (let looks = 0; looks < 400 && (await arena.unfinished()) !== expected; looks++) await sleep(50)
  const read = arena.db.selectFrom('chaos_jobs').select(['id', 'status', 'last_error']).where('id', 'in', ids)
  const now = new Map((await read.execute()).map((row) => [row.id, row]))
  const moved = new Set((await arena.db.selectFrom('moves').select('job_id').execute()).map(({ job_id }) => job_id))
  await sql`delete from moves where job_id = any(${ids})`.execute(arena.db)
  await sql`delete from chaos_jobs where id = any(${ids})`.execute(arena.db)
  return odd.flatMap(({ id, holds, expected }) => {
    const row = now.get(id)
    const became = moved.has(id) ? row?.status.replace('job_status_', '') : 'untouched'
    const silent = became === 'failed' && !row?.last_error?.startsWith('Lease expired')
    return became === expected && !silent
      ? []
      : [`a row with ${holds} became ${became} (${row?.last_error}), not ${expected}`]
  })
}

/** How long after its enqueue each of some jobs began, one after the other. */
async function wakeUps(arena: Arena): Promise<(number | undefined)[]> {
  const times: (number | undefined)[] = []
  for (let n = 0; n < 5; n++) {
    const since = epoch()
    const [id = ''] = await arena.enqueue(1, { act: 'work', takes: 1 })
    const begun = () => arena.witness.selectFrom('deeds').select('begun').where('job', '=', id).executeTakeFirst()
    let deed = await begun()
    for (; deed === undefined && epoch() - since < 10_000; deed = await begun()) await sleep(10)
    times.push(deed && deed.begun - since)
  }
  return times
}

async function statementsAtRest(arena: Arena): Promise<number> {
  let asked = 0
  void arena.proxy.cut('before', () => {
    asked += 1
    return false
  })
  await sleep(2_000)
  return asked
}

import { type Insertable, Kysely, PostgresDialect } from 'kysely'
import { enqueue, guardPool } from 'kysely-jobs'
import pg from 'pg'
import type { Matches } from '../../support/proxy.ts'
import { Arena } from '../arena.ts'
import type { Result, Scenario, Stage } from '../scenario.ts'
import type { ChaosDatabase } from '../tables.ts'

const lease = 1_500

interface Exchange {
  readonly name: string
  readonly matches: Matches
  /** Whether a job may have to run again for it. */
  readonly costsAttempts: boolean
  readonly job: Insertable<Pick<ChaosDatabase['chaos_jobs'], 'act' | 'takes'>>
}

const updates = (statement: string, ...words: string[]) =>
  statement.startsWith('update') && words.every((word) => statement.includes(word))

/** What a worker says to the server, each with a job that makes it say so. */
const exchanges: readonly Exchange[] = [
  {
    name: 'fetch',
    costsAttempts: true,
    matches: (statement) => updates(statement, 'chaos_jobs', 'job_status_running', 'skip locked'),
    job: { act: 'work', takes: 20 },
  },
  {
    name: 'settle',
    costsAttempts: false,
    matches: (statement) => updates(statement, 'chaos_jobs', "'job_status_succeeded'"),
    job: { act: 'work', takes: 20 },
  },
  {
    name: 'heartbeat',
    costsAttempts: false,
    matches: (statement) => updates(statement, 'chaos_jobs', 'set "locked_at" = clock_timestamp()'),
    job: { act: 'work', takes: lease },
  },
  {
    name: 'complete',
    costsAttempts: true,
    matches: (statement, before) => statement === 'commit' && /'job_status_succeeded'|set constraints/.test(before),
    job: { act: 'complete', takes: 20 },
  },
]

export const cutAnswers: Scenario = {
  name: 'R5',
  promise:
    'the connection is cut before a statement or between its commit and the reply: none lost, none settled twice',
  run: (stage) => Arena.play(stage.servers, { lease, pollInterval: 200 }, (arena) => cutAll(arena, stage)),
}

/** A batch in a transaction sends no heartbeat, and whatever cuts it costs an attempt. */
const ofBatches = exchanges
  .filter(({ name }) => name !== 'heartbeat')
  .map((exchange) => ({ ...exchange, costsAttempts: true }))

async function cutAll(arena: Arena, stage: Stage): Promise<Result> {
  await arena.start(1)
  const breaches: string[] = []
  const chosen = arena.settings.batch === undefined ? exchanges : ofBatches
  let cuts = 0
  for (let round = 0; round < (stage.form === 'long' ? 50 : 1); round++) {
    for (const moment of ['before', 'after'] as const) {
      breaches.push(...(await cutEnqueue(arena, moment, round)))
      for (const { name, matches, job, costsAttempts } of chosen) {
        stage.say(`cut ${moment} the ${moment === 'before' ? 'server has' : 'server answered'} ${name}`)
        const cut = arena.proxy.cut(moment, matches)
        const jobs = await arena.enqueue(8, job)
        await cut
        await arena.finished(20_000)
        if (!costsAttempts) breaches.push(...(await ranTwice(arena, jobs, `a ${name} that was cut ${moment}`)))
      }
      cuts += chosen.length + 1
    }
  }
  const { breaches: broken, evidence } = await arena.verdict()
  const moves = evidence.moves.filter(({ to_status }) => to_status === 'job_status_succeeded').length
  if (moves !== evidence.jobs.length) breaches.push(`${evidence.jobs.length} jobs were settled ${moves} times`)
  if (arena.settings.holdFor === undefined) breaches.push(...falselyLost(arena, evidence.jobs)) // else an attempt may come again
  return { breaches: [...breaches, ...broken], figures: { cuts, jobs: evidence.jobs.length } }
}

/** What the worker can say again must not cost an attempt. */
async function ranTwice(arena: Arena, ids: readonly string[], cut: string): Promise<string[]> {
  const rows = arena.db.selectFrom('chaos_jobs').select('id').where('id', 'in', ids).where('attempts_count', '>', 1)
  return (await rows.execute()).map(({ id }) => `${cut} had job ${id} run again`)
}

/** A cut enqueue tells its caller, and leaves all of its jobs or none: all, where the server had committed. */
async function cutEnqueue(arena: Arena, moment: 'before' | 'after', round: number): Promise<string[]> {
  const pool = guardPool(new pg.Pool({ connectionString: arena.proxy.url, max: 1 }))
  const db = new Kysely<ChaosDatabase>({ dialect: new PostgresDialect({ pool }) })
  const takes = 2 * round + (moment === 'before' ? 1 : 2) // by which its jobs are known
  const cut = arena.proxy.cut(moment, (statement) => statement.startsWith('insert into "chaos_jobs"'))
  const told = await enqueue(db, 'chaos_jobs', [
    { act: 'work', takes },
    { act: 'work', takes },
  ]).then(
    () => false,
    () => true,
  )
  await cut
  await db.destroy()
  const rows = await arena.db.selectFrom('chaos_jobs').select('id').where('takes', '=', takes).execute()
  const found = rows.length % 2 === 0 && rows.length > 0
  return [
    ...(told ? [] : [`an enqueue that was cut ${moment} told nobody`]),
    ...(found === (moment === 'after') ? [] : [`an enqueue cut ${moment} left ${rows.length} jobs`]),
  ]
}

/** Nobody says `lost` of a job that an attempt of his has ended. */
function falselyLost(
  arena: Arena,
  jobs: readonly { readonly id: string; readonly attempts_count: number }[],
): string[] {
  const reports = arena.crew.hands.flatMap(({ reports }) => reports)
  return reports
    .filter(({ event, facts }) => {
      return (
        event === 'lost' && jobs.some(({ id, attempts_count }) => id === facts.job && attempts_count === facts.attempt)
      )
    })
    .map(({ facts }) => `job ${facts.job} was told to be lost, and attempt ${facts.attempt} had ended it`)
}

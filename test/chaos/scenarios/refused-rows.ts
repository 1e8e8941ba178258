import { setTimeout as sleep } from 'node:timers/promises'
import { type Kysely, sql } from 'kysely'
import { Arena } from '../arena.ts'
import type { Hand } from '../crew.ts'
import { type Role, withRole } from '../role.ts'
import type { Result, Stage } from '../scenario.ts'
import type { ChaosDatabase } from '../tables.ts'

/** A row whose success the database refuses, among many that it takes. A row is known by how long its handler takes. */
interface Poison {
  readonly takes: number
  /** What the worker's event must say. */
  readonly says: RegExp
  make(db: Kysely<ChaosDatabase>, role: Role): Promise<unknown>
  end(db: Kysely<ChaosDatabase>): Promise<unknown>
}

const trigger = (name: string, takes: number, body: string): Pick<Poison, 'make' | 'end'> => ({
  make: (db) =>
    sql
      .raw(`create function ${name}() returns trigger language plpgsql as $$ begin ${body}; return new; end $$;
      create trigger ${name} before update on chaos_jobs for each row
        when (new.status = 'job_status_succeeded' and new.takes = ${takes}) execute function ${name}()`)
      .execute(db),
  end: (db) => sql.raw(`drop trigger ${name} on chaos_jobs`).execute(db),
})

const poisons: readonly Poison[] = [
  {
    takes: 201,
    says: /violates check constraint "picky"/,
    make: (db) =>
      sql`alter table chaos_jobs add constraint picky
        check (takes <> 201 or status <> 'job_status_succeeded')`.execute(db),
    end: (db) => sql`alter table chaos_jobs drop constraint picky`.execute(db),
  },
  { takes: 202, says: /not on a Sunday/, ...trigger('never', 202, `raise exception 'not on a Sunday'`) },
  // of the class of errors that would meet any row
  { takes: 203, says: /"forgotten" does not exist/, ...trigger('audit', 203, 'insert into forgotten values (1)') },
  {
    takes: 204,
    says: /violates row-level security policy/,
    make: (db, { name }) =>
      sql
        .raw(`alter table chaos_jobs enable row level security;
        create policy strict on chaos_jobs to ${name} using (true)
          with check (takes <> 204 or status <> 'job_status_succeeded')`)
        .execute(db),
    end: (db) => sql`alter table chaos_jobs disable row level security`.execute(db),
  },
]

/** What somebody does to the row of a running job, and how that must end. */
interface Edit {
  readonly what: string
  readonly set: string | undefined
  /** The attempt is told that it lost its job. */
  readonly lost: boolean
  readonly ends: { readonly status: string; readonly attempts: number } | undefined
}

const succeeded = (attempts: number) => ({ status: 'job_status_succeeded', attempts })

const edits: readonly Edit[] = [
  { what: 'deleted', set: undefined, lost: true, ends: undefined },
  { what: 'run_at', set: `run_at = now() + interval '1 day'`, lost: false, ends: succeeded(1) },
  { what: 'status, still locked', set: `status = 'job_status_not_started'`, lost: false, ends: succeeded(1) },
  { what: 'attempts_count', set: 'attempts_count = 5', lost: true, ends: succeeded(6) },
  { what: 'locked_by', set: 'locked_by = null', lost: true, ends: succeeded(2) },
  {
    what: 'failed by hand',
    set: `status = 'job_status_failed', locked_by = null`,
    lost: true,
    ends: { status: 'job_status_failed', attempts: 1 },
  },
]

/** No machine is held up for so long that a living worker loses its rows. */
const lease = 3_000

/** Longer than any machine takes for 30 jobs, and than none at all where they are held up. */
const patience = 10_000

/** Rows that are refused, and rows that are changed by hand: their neighbours in a batch are none the worse. */
export function refusedRows(stage: Stage): Promise<Result> {
  return Arena.play(stage.servers, { lease, concurrency: 60, pollInterval: 200 }, (arena) =>
    withRole(arena, (role) => refuseAndEdit(arena, stage, role)),
  )
}

async function refuseAndEdit(arena: Arena, { say }: Stage, role: Role): Promise<Result> {
  const { db } = arena
  const hand = await arena.crew.start({ url: role.url })
  for (const { make } of poisons) await make(db, role)
  const edited = await arena.enqueue(edits.length, { act: 'work', takes: lease })
  await arena.atWork(edits.length)
  say('rows are changed by hand, and successes of some refused')
  for (const [i, { set }] of edits.entries()) {
    const change = set === undefined ? 'delete from chaos_jobs' : `update chaos_jobs set ${set}`
    await sql`${sql.raw(change)} where id = ${edited[i]}`.execute(db)
  }
  // these end first: a worker that would write them with all that comes later would write none of it
  for (const { takes } of poisons) await arena.enqueue(1, { act: 'work', takes })
  const good = await arena.enqueue(30, { act: 'work', takes: 300 })
  const harmed = await unsettled(arena, good)
  await sleep(lease) // by now a refusal outlives the lease of its row
  for (const { end } of poisons) await end(db)
  await arena.finished(30_000)
  const { breaches, evidence } = await arena.verdict()
  const found = new Map(evidence.jobs.map((job) => [job.id, job]))
  return {
    breaches: [
      ...breaches,
      ...harmed.map((id) => `job ${id} was harmed by a neighbour that was refused`),
      ...poisons.filter(({ says }) => !told(hand, says)).map(({ says }) => `no event said ${says}`),
      ...edits.flatMap((edit, i) => unlike(hand, edit, edited[i] ?? '', found.get(edited[i] ?? ''))),
    ],
    figures: { 'refused rows': poisons.length, 'changed by hand': edits.length, 'neighbours harmed': harmed.length },
  }
}

/** Those that have not succeeded by their first attempt; waits for them, but not for ever. */
async function unsettled({ db }: Arena, ids: readonly string[]): Promise<string[]> {
  const found = db
    .selectFrom('chaos_jobs')
    .select('id')
    .where('id', 'in', ids)
    .where((eb) => eb.or([eb('status', '!=', 'job_status_succeeded'), eb('attempts_count', '>', 1)]))
  for (const end = performance.now() + patience; ; await sleep(50)) {
    const left = await found.execute()
    if (left.length === 0 || performance.now() > end) return left.map(({ id }) => id)
  }
}

function told(hand: Hand, words: RegExp): boolean {
  return hand.reports.some(({ event, facts }) => event === 'error' && words.test(String(facts.cause)))
}

/** What did not end as it must. */
function unlike(
  hand: Hand,
  { what, lost, ends }: Edit,
  id: string,
  job: { readonly status: string; readonly attempts_count: number } | undefined,
): string[] {
  const saidLost = hand.reports.some(({ event, facts }) => event === 'lost' && facts.job === id)
  const ended = job && { status: job.status, attempts: job.attempts_count }
  return [
    ...(saidLost === lost ? [] : [`${what}: the loss of job ${id} was ${lost ? 'not ' : ''}told`]),
    ...(ended?.status === ends?.status && ended?.attempts === ends?.attempts
      ? []
      : [`${what}: job ${id} ended as ${JSON.stringify(ended)} in place of ${JSON.stringify(ends)}`]),
  ]
}

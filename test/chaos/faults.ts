import { setTimeout as sleep } from 'node:timers/promises'
import { sql, type Transaction } from 'kysely'
import { cancelJobs, retryJobs } from 'kysely-jobs'
import { hasStatus, isRunning } from 'kysely-jobs/queue'
import type { Way } from '../support/proxy.ts'
import type { Arena } from './arena.ts'
import type { Random } from './random.ts'
import type { Stage } from './scenario.ts'
import type { ChaosDatabase } from './tables.ts'

/** What a fault may lay hands on. */
export interface Victims {
  readonly arena: Arena
  readonly server: Stage['server']
  readonly random: Random
  /** Jobs whose rows may be gone, as somebody deleted them. */
  readonly deleted: Set<string>
}

/** Something that breaks, and is whole again when it resolves. */
export type Fault = (victims: Victims) => Promise<unknown>

type Faults = Readonly<Record<string, Fault>>

/** A length of time, as a share of the lease: some end before it, some outlive it. */
function forSome({ arena, random }: Victims, least = 0.1, most = 2): Promise<void> {
  return sleep(random.between(least, most) * arena.settings.lease)
}

const pickProcess = ({ arena, random }: Victims) =>
  random.pick(arena.crew.alive.filter(({ askedAt }) => askedAt === undefined))

/**
 * Starts a process, a third of them past the proxy, so that somebody is at work whatever the network does. Where the database
 * can't be reached a start fails, as is documented; then another is started, as whoever supervises processes does.
 */
export async function startAnother(victims: Victims): Promise<void> {
  const { arena, random } = victims
  const hand = await arena.crew.start(random.below(3) === 0 ? { url: arena.directUrl } : {})
  const started = await hand.said('started').then(
    () => true,
    () => false,
  )
  if (started || hand.askedAt !== undefined) return
  hand.askedAt = hand.endedAt
  await startAnother(victims)
}

async function terminate(victims: Victims, ...signals: NodeJS.Signals[]): Promise<void> {
  const hand = pickProcess(victims)
  const other = startAnother(victims)
  for (const signal of signals) {
    hand.send(signal)
    await forSome(victims, 0, 0.1)
  }
  await hand.ended(30_000)
  await other
}

async function freeze(victims: Victims, end: 'SIGCONT' | 'SIGKILL'): Promise<void> {
  const hand = pickProcess(victims)
  hand.send('SIGSTOP')
  await forSome(victims)
  hand.send(end)
  if (end === 'SIGKILL') await startAnother(victims)
}

const ofProcesses: Faults = {
  'kill -9': (victims) => terminate(victims, 'SIGKILL'),
  SIGTERM: (victims) => terminate(victims, 'SIGTERM'),
  'SIGTERM twice': (victims) => terminate(victims, 'SIGTERM', 'SIGTERM'),
  'SIGSTOP, then SIGCONT': (victims) => freeze(victims, 'SIGCONT'),
  'SIGSTOP, then kill -9': (victims) => freeze(victims, 'SIGKILL'),
}

const swallow =
  (...ways: Way[]): Fault =>
  async (victims) => {
    victims.arena.proxy.swallow(...ways)
    await forSome(victims)
    victims.arena.proxy.heal()
  }

/** Cuts the next connection that says something of the kind; which nobody may do for a while. */
const cut =
  (moment: 'before' | 'after'): Fault =>
  async ({ arena, random }) => {
    const words = random.pick(['skip locked', 'job_status_succeeded', 'set "locked_at"', 'commit', 'select'])
    void arena.proxy.cut(moment, (statement) => statement.includes(words))
  }

const ofTheNetwork: Faults = {
  'black hole': swallow(),
  'black hole to the server': swallow('up'),
  'black hole to the client': swallow('down'),
  'half-open': async ({ arena }) => arena.proxy.halfOpen(),
  'held back': async (victims) => {
    victims.arena.proxy.hold()
    await forSome(victims)
    victims.arena.proxy.heal()
  },
  slow: async (victims) => {
    victims.arena.proxy.delay(victims.random.between(5, 150))
    await forSome(victims)
    victims.arena.proxy.heal()
  },
  'cut before a statement': cut('before'),
  'cut before a reply': cut('after'),
}

const restart =
  (way: Parameters<Stage['server']['halt']>[0]): Fault =>
  async (victims) => {
    await victims.server.halt(way)
    await forSome(victims, 0, 2)
    await victims.server.resume()
  }

async function backendOf({ arena, random }: Victims): Promise<number | undefined> {
  const { rows } = await sql<{ pid: number }>`
    select pid from pg_stat_activity where application_name like 'chaos %' and datname = current_database()
    order by pid`.execute(arena.db)
  return rows.length === 0 ? undefined : random.pick(rows).pid
}

const ofTheServer: Faults = {
  'restart, fast': restart('fast'),
  'restart, immediate': restart('immediate'),
  'kill -9 of the postmaster': restart('kill'),
  'kill -9 of a backend': async (victims) => {
    const pid = await backendOf(victims)
    if (pid !== undefined) process.kill(pid, 'SIGKILL')
  },
}

/** The ids of some jobs that run. */
async function running({ arena, random }: Victims): Promise<string[]> {
  const jobs = arena.db.selectFrom('chaos_jobs').select('id').where(isRunning())
  const rows = await jobs.limit(1 + random.below(8)).execute()
  return rows.map(({ id }) => id)
}

async function inTransaction(
  victims: Victims,
  work: (trx: Transaction<ChaosDatabase>) => Promise<unknown>,
  most: number,
): Promise<void> {
  const trx = await victims.arena.db.startTransaction().execute()
  try {
    await work(trx)
    await forSome(victims, 0.1, most)
  } finally {
    await trx.rollback().execute()
  }
}

/**
 * A row that is locked when its lease ends is anybody's at the moment it is free, its own worker's or another's; so a lock
 * of rows ends before. Nobody can take over in a locked table, and its workers abort in time.
 */
const lockRows: Fault = async (victims) => {
  const ids = await running(victims)
  await inTransaction(
    victims,
    (trx) => trx.selectFrom('chaos_jobs').select('id').where('id', 'in', ids).forUpdate().execute(),
    0.4,
  )
}

const ofHands: Faults = {
  'a backend is terminated': async (victims) => {
    const pid = await backendOf(victims)
    await sql`select pg_terminate_backend(${pid ?? 0})`.execute(victims.arena.db)
  },
  'rows are locked': lockRows,
  'the table is locked': (victims) =>
    inTransaction(victims, (trx) => sql`lock table chaos_jobs in exclusive mode`.execute(trx), 1.5),
  'running jobs are cancelled': async (victims) => {
    await cancelJobs(victims.arena.db, 'chaos_jobs', { ids: await running(victims) })
  },
  // a lease later, as then their handlers know
  'cancelled jobs are retried': ({ arena: { db, settings } }) =>
    retryJobs(db, 'chaos_jobs', {
      where: (eb) =>
        eb.and([
          hasStatus(['job_status_cancelled', 'job_status_failed']),
          eb('updated_at', '<', sql<Date>`now() - ${settings.lease} * interval '1 millisecond'`),
        ]),
    }),
  'running jobs are deleted': async (victims) => {
    const ids = await running(victims)
    for (const id of ids) victims.deleted.add(id)
    await victims.arena.db.deleteFrom('chaos_jobs').where('id', 'in', ids).execute()
  },
}

/** All that can break, by what it breaks. Faults of one thing come one after the other, those of several at once. */
export const allFaults = { ofProcesses, ofTheNetwork, ofTheServer, ofHands } as const

export type Broken = keyof typeof allFaults

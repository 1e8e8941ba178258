import { randomBytes } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { type Insertable, Kysely, PostgresDialect, type SqlBool, sql } from 'kysely'
import { enqueue } from 'kysely-jobs'
import { isPending, isRunning } from 'kysely-jobs/queue'
import pg from 'pg'
import { type Proxy as FaultProxy, startProxy } from '../support/proxy.ts'
import { Crew } from './crew.ts'
import { checkInvariants, type Evidence } from './invariants.ts'
import { byWorker, type ChaosDatabase, createChaosTables, createWitnessTables, type WitnessDatabase } from './tables.ts'
import { epoch } from './witness.ts'
import type { ProcessSettings } from './worker-process.ts'

/** A server that may be taken down, and one that no fault reaches. */
export interface Servers {
  readonly faulty: string
  readonly witness: string
  /** Workers hold their jobs by transactions. */
  readonly holds?: boolean
  /** They handle batches, in a transaction each. */
  readonly batches?: boolean
}

export type ArenaSettings = Partial<Omit<ProcessSettings, 'url' | 'witness'>>

const defaults = {
  lease: 2_000,
  pollInterval: 500,
  concurrency: 8,
  maxAttempts: 25,
  listens: true,
  deadline: 5_000,
  poolSize: 10,
  brief: false,
}

/** Where one scenario happens: a database under fault, its proxy, a witness, and a crew of processes. */
export class Arena {
  readonly proxy: FaultProxy
  readonly crew: Crew
  readonly db: Kysely<ChaosDatabase>
  readonly witness: Kysely<WitnessDatabase>
  readonly settings: typeof defaults & Pick<ProcessSettings, 'holdFor' | 'batch'>
  /** Past the proxy: for faults of the server itself, and for processes that no network fault reaches. */
  readonly directUrl: string
  readonly #close: () => Promise<void>

  private constructor(parts: {
    proxy: FaultProxy
    crew: Crew
    db: Kysely<ChaosDatabase>
    witness: Kysely<WitnessDatabase>
    settings: Arena['settings']
    directUrl: string
    close: () => Promise<void>
  }) {
    this.proxy = parts.proxy
    this.crew = parts.crew
    this.db = parts.db
    this.witness = parts.witness
    this.settings = parts.settings
    this.directUrl = parts.directUrl
    this.#close = parts.close
  }

  /** Opens one for a scenario, and leaves nothing of it behind. */
  static async play<Value>(servers: Servers, settings: ArenaSettings, scenario: (arena: Arena) => Promise<Value>) {
    const arena = await Arena.#open(servers, settings)
    try {
      return await scenario(arena)
    } finally {
      await arena.#close()
    }
  }

  static async #open(servers: Servers, chosen: ArenaSettings): Promise<Arena> {
    const { lease } = { ...defaults, ...chosen }
    const holdFor = servers.holds ? Math.min(500, lease / 4) : undefined // most handlers end in it
    const batch = servers.batches && { batch: 3, holdFor: lease } // one that is cut off learns of it by then
    const settings = { ...defaults, ...chosen, ...(holdFor && { holdFor }), ...batch }
    const faulty = await createDatabase<ChaosDatabase>(servers.faulty)
    const witness = await createDatabase<WitnessDatabase>(servers.witness)
    await createChaosTables(faulty.db)
    await createWitnessTables(witness.db)
    const proxy = await startProxy(faulty.url)
    const crew = new Crew({ ...settings, url: proxy.url, witness: witness.url })
    const close = async () => {
      await crew.end()
      proxy.close()
      await Promise.all([faulty.drop(), witness.drop()])
    }
    return new Arena({ proxy, crew, settings, db: faulty.db, witness: witness.db, directUrl: faulty.url, close })
  }

  async enqueue(count: number, job: Insertable<Pick<ChaosDatabase['chaos_jobs'], 'act' | 'takes'>>): Promise<string[]> {
    const jobs = await enqueue(
      this.db,
      'chaos_jobs',
      Array.from({ length: count }, () => job),
    )
    return jobs.map(({ id }) => id)
  }

  /** Starts so many processes, and waits until their workers run. */
  async start(count: number, other: Partial<ProcessSettings> = {}): Promise<void> {
    const hands = await Promise.all(Array.from({ length: count }, () => this.crew.start(other)))
    await Promise.all(hands.map((hand) => hand.said('started')))
  }

  /** How many jobs are not final; undefined while nobody can tell. */
  async unfinished(): Promise<number | undefined> {
    const all = this.db.selectFrom('chaos_jobs').select((eb) => eb.fn.countAll<string>().as('count'))
    // one by one, as each has its index: a million final jobs would be read for the two in one condition
    const counts = this.db.selectNoFrom([all.where(isPending()).as('pending'), all.where(isRunning()).as('running')])
    return counts.executeTakeFirstOrThrow().then(
      ({ pending, running }) => Number(pending) + Number(running),
      () => undefined,
    )
  }

  /** Waits until every job is final, but no longer than so many milliseconds. */
  async finished(limit: number): Promise<void> {
    for (const end = performance.now() + limit; performance.now() < end; await sleep(50)) {
      if ((await this.unfinished()) === 0) return
    }
  }

  /** How many handlers are at work in processes that are alive. */
  async busy(): Promise<number> {
    const pids = this.crew.alive.map(({ pid }) => pid)
    const { count } = await this.witness
      .selectFrom('deeds')
      .select((eb) => eb.fn.countAll<string>().as('count'))
      .where('ended', 'is', null)
      .where('pid', 'in', [0, ...pids])
      .executeTakeFirstOrThrow()
    return Number(count)
  }

  /** Waits until so many handlers are at work at once, or all that there was to do is done: on a busy machine it may be over soon. */
  async atWork(count: number): Promise<void> {
    while ((await this.busy()) < count && (await this.unfinished()) !== 0) await sleep(10)
  }

  /** Waits until no handler is at work. */
  async atRest(): Promise<void> {
    while ((await this.busy()) > 0) await sleep(10)
  }

  /**
   * How long after a moment each process had claimed a job and ended it: the slowest of them. There is work for all until
   * then, but not for longer than so many milliseconds; undefined where one did none.
   */
  async slowestToWork(pids: readonly number[], since: number, limit = 30_000): Promise<number | undefined> {
    for (;;) {
      const firsts = await Promise.all(pids.map((pid) => this.#firstDone(pid, since)))
      if (firsts.every((first) => first !== undefined)) return Math.max(...firsts)
      if (epoch() - since > limit) return undefined
      if (((await this.unfinished()) ?? 0) < pids.length * 30)
        await this.enqueue(pids.length * 30, { act: 'work', takes: 80 })
    }
  }

  async #firstDone(pid: number, since: number): Promise<number | undefined> {
    const { ended } =
      (await this.witness
        .selectFrom('deeds')
        .select((eb) => eb.fn.min<number | null>('ended').as('ended'))
        .where('pid', '=', pid)
        .where('begun', '>=', since)
        .where('how', '=', 'returned')
        .executeTakeFirst()) ?? {}
    return typeof ended === 'number' ? ended - since : undefined
  }

  /** Ends the crew, and says what the invariants hold against the run. */
  async verdict(): Promise<{ readonly breaches: string[]; readonly evidence: Evidence }> {
    await this.crew.stop()
    const evidence = await this.#evidence()
    return { breaches: checkInvariants(evidence), evidence }
  }

  /** The same for any number of jobs, a sixteenth of them at a time: all that is known of a million fills the memory. */
  async verdictInParts(look: (part: Evidence) => void): Promise<string[]> {
    await this.crew.stop()
    const breaches = new Set<string>() // what is wrong with a process is told with each part
    for (const lastDigit of '0123456789abcdef') {
      const part = await this.#evidence(lastDigit)
      look(part)
      for (const breach of checkInvariants(part)) breaches.add(breach)
    }
    return [...breaches]
  }

  /** All that is known of the jobs whose id ends so. */
  async #evidence(end = ''): Promise<Evidence> {
    const columns = ['id', 'act', 'status', 'attempts_count', 'last_error', 'result'] as const
    const asked = (id: string) => sql<SqlBool>`${sql.ref(id)}::text like ${`%${end}`}`
    const moves = await this.db.selectFrom('moves').selectAll().where(asked('job_id')).orderBy('at').execute()
    return {
      jobs: await this.db.selectFrom('chaos_jobs').select(columns).where(asked('id')).execute(),
      moves: moves.map(byWorker),
      effects: await this.db.selectFrom('effects').selectAll().where(asked('job_id')).execute(),
      deeds: await this.witness.selectFrom('deeds').selectAll().where(asked('job')).orderBy('begun').execute(),
      workers: await this.witness.selectFrom('workers').selectAll().execute(),
      silences: [
        ...(await this.witness.selectFrom('silences').selectAll().execute()),
        ...this.crew.hands.flatMap(({ silences }) => silences),
      ],
      complaints: this.crew.hands.flatMap(({ complaints }) => complaints),
      maxAttempts: this.settings.maxAttempts,
      lease: this.settings.lease,
      holdFor: this.settings.holdFor,
    }
  }
}

/** What connections are called by which faults are made and results are read. */
export const pastTheProxy = 'chaos, past the proxy'

/** A database of the run's own; its pool outlives the restarts of the server. */
export async function createDatabase<DB>(
  server: string,
): Promise<{ url: string; db: Kysely<DB>; drop(): Promise<void> }> {
  const name = `chaos_${randomBytes(6).toString('hex')}`
  await onServer(server, `create database ${name} template template0`)
  const url = new URL(server)
  url.pathname = `/${name}`
  // whoever puts a run under fault must be able to write while nobody else is
  const options = '-c default_transaction_read_only=off'
  const pool = new pg.Pool({ connectionString: url.href, max: 4, options, application_name: pastTheProxy })
  pool.on('error', () => {}).on('connect', (client) => client.on('error', () => {}))
  const db = new Kysely<DB>({ dialect: new PostgresDialect({ pool }) })
  const drop = async () => {
    db.destroy().catch(() => {})
    await onServer(server, `drop database if exists ${name} with (force)`)
  }
  return { url: url.href, db, drop }
}

async function onServer(url: string, statement: string): Promise<void> {
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  await client.query(statement).finally(() => client.end())
}

import { type Kysely, sql } from 'kysely'
import { limitJobs, listLimits } from 'kysely-jobs'
import { settle } from 'kysely-jobs/queue'
import type { Keyed } from '../../../src/queue/claim.ts'
import { worker } from '../mail-jobs.ts'
import { allowed, keyOf, type ModelJob, perHour, type Situation, type Wanted, wait as waitOf } from './allowed.ts'
import { type Claims, claimsOf, type Way } from './claims.ts'
import { hour, pass, type Round } from './verbs.ts'

/** Plays rounds against a table that is empty, which watches over what is promised; who claims alone takes just what the model says. */
export class Play {
  readonly #db: Kysely<any>
  readonly #handles: readonly Kysely<any>[]
  readonly #keyed: Keyed
  readonly #claims: Claims
  #last: readonly string[] = []
  #round = 0

  /** @param handles one for each verb of a round, whose pools are guarded */
  constructor(db: Kysely<any>, handles: readonly Kysely<any>[], keyed: Keyed) {
    this.#db = db
    this.#handles = handles
    this.#keyed = keyed
    this.#claims = claimsOf(db, keyed)
  }

  async begin(): Promise<void> {
    const { max, total, order, rate, totalRate } = this.#keyed
    await sql`truncate key_jobs, job_limits, starts, promise, highest`.execute(this.#db)
    const promise = {
      ...{ max: typeof max === 'number' ? max : null, total, is_own: typeof max === 'object', line: order },
      ...{
        burst: rate?.burst,
        burst_of_all: totalRate?.burst,
        per_hour: perHour(rate ?? totalRate ?? { max: 0, per: 1 }),
      },
    }
    await this.#db
      .insertInto('promise')
      .values({ ...promise, round: 0 })
      .execute()
  }

  /** @throws where a promise is broken */
  async round({ said, held, hours, alone }: Round): Promise<void> {
    const { jobs } = await this.#situation()
    await this.#db
      .updateTable('promise')
      .set({ round: ++this.#round })
      .execute()
    await this.#db.deleteFrom('highest').execute()
    const known = { jobs, claims: this.#claims, by: this.#keyed.by }
    const trx = await this.#db.startTransaction().execute()
    const id = held === null ? undefined : jobs[held % jobs.length]?.id
    if (id !== undefined) await trx.selectFrom('key_jobs').select('id').where('id', '=', id).forUpdate().execute()
    const doing = said.map((verb, n) => verb(this.#handles[n]!, known)) // there are as many
    await this.#doneOrWaiting(doing)
    await trx.rollback().execute()
    await Promise.allSettled(doing)
    await Promise.all(doing)
    if (hours > 0) await pass(this.#db, hours)
    if (alone !== null) await this.#alone(alone.way, { ...alone.wanted, last: alone.goesOn ? this.#last : [] })
  }

  /** Resolves when all is done, or somebody waits for the row that is held. */
  async #doneOrWaiting(doing: readonly Promise<unknown>[]): Promise<void> {
    let isDone = false
    const done = Promise.allSettled(doing).then(() => {
      isDone = true
    })
    const waiting = sql<{ n: number }>`select count(*)::int as n from pg_stat_activity
      where datname = current_database() and wait_event_type = 'Lock' and wait_event in ('transactionid', 'tuple')`
    const look = async () => {
      while (!isDone && (await waiting.execute(this.#db)).rows[0]?.n === 0);
    }
    await Promise.race([done, look()])
  }

  /** Nobody is in the way of this claim. */
  async #alone(way: Way, wanted: Wanted): Promise<void> {
    const situation = await this.#situation()
    const may = allowed(situation, wanted)
    const { rows, walked, wait } = await this.#claims(this.#handles[0]!, way, wanted)
    const taken = rows.map((row) => String(Reflect.get(row, 'id')))
    if (walked !== undefined) this.#last = walked.last
    const fits = way === 'one' ? taken.length === Math.min(1, may.length) : taken.length === may.length
    const hours = waitOf(situation, wanted)
    const isTold =
      way === 'one' || taken.length > 0 || Math.abs((hours ?? -1) - (wait === undefined ? -1 : wait / hour)) < 0.05
    if (fits && isTold && taken.every((id) => may.includes(id))) return
    const { keyed: _, jobs, ...others } = situation
    const told = JSON.stringify(
      [...Object.entries(others).map(([name, map]) => [name, ...map]), jobs, way, wanted],
      null,
      1,
    )
    throw new Error(
      `a claim that was alone took ${taken} and told to wait for ${wait} ms; it might take ${may} or wait for ${hours} h: ${told}`,
    )
  }

  /** What waits is done in the end: of what runs each ends, and limits are as they were. @throws where a job is left behind */
  async end(): Promise<void> {
    for (const { where } of await listLimits(this.#db, 'key_jobs'))
      await limitJobs(this.#db, 'key_jobs', { where: where as object, max: undefined })
    const { jobs } = await this.#situation()
    for (let left = jobs.length + 3; left > 0; left--) {
      const { jobs } = await this.#situation()
      if (jobs.every(({ status }) => !['not_started', 'retry', 'running'].includes(status))) return
      const running = jobs.filter(({ status }) => status === 'running')
      const outcomes = running.map(({ id, attempt }) => ({ id, attempt, kind: 'succeeded' as const }))
      await settle(this.#db, 'key_jobs', outcomes, { worker })
      await this.#db
        .deleteFrom('key_jobs')
        .where('status', 'in', ['job_status_failed', 'job_status_timed_out'])
        .execute()
      await pass(this.#db, 3)
      await this.#alone('message', { limit: 100, quota: 100, most: 100, below: 100, last: this.#last })
    }
    throw new Error('jobs were left behind for ever')
  }

  async #situation(): Promise<Situation> {
    const jobs =
      await sql<ModelJob>`select id, tenant, region, most, place, substr(status::text, 12) as status, attempts_count as attempt,
      (extract(epoch from run_at - statement_timestamp()) / 3600)::float8 as due,
      (row_number() over (order by created_at, id))::int as turn from key_jobs order by created_at, id`.execute(
        this.#db,
      )
    const limits = await listLimits(this.#db, 'key_jobs')
    const starts = await sql<{ key: unknown; ago: number }>`select own_key as key,
      (extract(epoch from statement_timestamp() - at) / 3600)::float8 as ago from starts order by at`.execute(this.#db)
    const agos = Map.groupBy(starts.rows, ({ key }) => (key === 'all' ? key : this.#text(key as object)))
    return {
      keyed: this.#keyed,
      jobs: jobs.rows,
      limits: new Map(limits.map(({ where = {}, max }) => [this.#text(where), max])),
      starts: new Map([...agos].map(([key, all]) => [key, all.map(({ ago }) => ago)])),
    }
  }

  /** A key as the model writes it: jsonb has an order of its own. */
  #text(key: object): string {
    return Object.keys(key).length === 0 ? '{}' : keyOf(this.#keyed, key as ModelJob)
  }
}

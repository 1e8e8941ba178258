import { randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { type Kysely, sql } from 'kysely'
import { createDatabase } from '../../test/chaos/arena.ts'
import type { Stage } from '../../test/chaos/scenario.ts'
import { createWitnessTables, type WitnessDatabase } from '../../test/chaos/tables.ts'
import { epoch } from '../../test/chaos/witness.ts'
import { type Proxy as FaultProxy, startProxy } from '../../test/support/proxy.ts'
import { Crew } from './crew.ts'
import type { Act, Enqueuer, Peer, PeerName, Settings, State } from './peer.ts'
import { peers } from './peers.ts'

/** What a fault is given: a queue, and the stage of the reliability suite. */
export type Play = Omit<Stage, 'form'> & { readonly peer: PeerName }

export interface Row {
  readonly state: State
  readonly said: string | null
}

/** How many jobs one call adds. */
const atOnce = 20

const defaults: Settings = { concurrency: 8, maxAttempts: 25, expiry: 3_000, grace: 5_000 }

/** Where one fault strikes one queue: a database, its proxy, a witness that no fault reaches, and a crew. */
export class Trial {
  readonly peer: Peer
  readonly settings: Settings
  readonly proxy: FaultProxy
  readonly crew: Crew
  readonly witness: Kysely<WitnessDatabase>
  readonly #db: Kysely<unknown>
  readonly #enqueuer: Enqueuer
  readonly #close: () => Promise<void>
  readonly #keys: string[] = []

  private constructor(parts: {
    peer: Peer
    settings: Settings
    proxy: FaultProxy
    crew: Crew
    witness: Kysely<WitnessDatabase>
    db: Kysely<unknown>
    enqueuer: Enqueuer
    close: () => Promise<void>
  }) {
    this.peer = parts.peer
    this.settings = parts.settings
    this.proxy = parts.proxy
    this.crew = parts.crew
    this.witness = parts.witness
    this.#db = parts.db
    this.#enqueuer = parts.enqueuer
    this.#close = parts.close
  }

  /** Opens one, and leaves nothing of it behind. */
  static async hold<Value>(play: Play, chosen: Partial<Settings>, fault: (trial: Trial) => Promise<Value>) {
    const trial = await Trial.#open(play, chosen)
    try {
      return await fault(trial)
    } finally {
      await trial.#close()
    }
  }

  static async #open({ servers, peer: name, say }: Play, chosen: Partial<Settings>): Promise<Trial> {
    const settings = { ...defaults, ...chosen }
    const peer = peers[name]
    const faulty = await createDatabase<unknown>(servers.faulty)
    const witness = await createDatabase<WitnessDatabase>(servers.witness)
    await createWitnessTables(witness.db)
    await peer.setUp(faulty.url, settings)
    const enqueuer = await peer.enqueuer(faulty.url, settings)
    const proxy = await startProxy(faulty.url)
    const crew = new Crew({ ...settings, peer: name, url: proxy.url, witness: witness.url }, say)
    const close = async () => {
      await crew.end()
      proxy.close()
      await enqueuer.close()
      await Promise.all([faulty.drop(), witness.drop()])
    }
    return new Trial({ peer, settings, proxy, crew, witness: witness.db, db: faulty.db, enqueuer, close })
  }

  async enqueue(count: number, act: Act, takes: number): Promise<string[]> {
    const keys: string[] = []
    // a few at a time: jobs of one moment have no order among them, which would cost pg-boss' retries their place
    for (let left = count; left > 0; left -= atOnce) {
      const payloads = Array.from({ length: Math.min(left, atOnce) }, () => ({ key: randomUUID(), act, takes }))
      await this.#enqueuer.add(payloads)
      keys.push(...payloads.map(({ key }) => key))
    }
    this.#keys.push(...keys)
    return keys
  }

  /** How each of some jobs stands, or all; undefined while nobody can tell. */
  async rows(keys: readonly string[] = this.#keys): Promise<Map<string, Row> | undefined> {
    const found = await sql<Row & { key: string }>`${sql.raw(this.peer.states)}`
      .execute(this.#db)
      .catch(() => undefined)
    if (found === undefined) return undefined
    const known = new Map(found.rows.map((row) => [row.key, row]))
    const gone: Row = { state: this.peer.deletesDone ? 'done' : 'failed', said: null }
    return new Map(keys.map((key) => [key, known.get(key) ?? gone]))
  }

  async counts(keys: readonly string[] = this.#keys): Promise<Record<State, number>> {
    const counts = { waiting: 0, held: 0, done: 0, failed: 0 }
    for (const { state } of (await this.rows(keys))?.values() ?? []) counts[state] += 1
    return counts
  }

  /** Waits until some jobs, or all, are final, but no longer than so many milliseconds. */
  async finished(limit: number, keys: readonly string[] = this.#keys): Promise<void> {
    for (const end = performance.now() + limit; performance.now() < end; await sleep(100)) {
      const rows = await this.rows(keys)
      if (rows && [...rows.values()].every(({ state }) => state === 'done' || state === 'failed')) return
    }
  }

  /** Runs of handlers that the witness knows of. */
  deeds() {
    return this.witness.selectFrom('deeds').selectAll().orderBy('begun').execute()
  }

  /** Waits until so many of some jobs have begun their so-manieth attempt, but no longer than so many milliseconds. */
  async begun(keys: readonly string[], attempt: number, count = keys.length, limit = 30_000): Promise<boolean> {
    for (const end = performance.now() + limit; performance.now() < end; await sleep(20)) {
      const deeds = await this.deeds()
      if (deeds.filter((deed) => keys.includes(deed.job) && deed.attempt === attempt).length >= count) return true
    }
    return false
  }

  /**
   * How long after a moment the first process, and each process, had begun a job and ended it. There is work for all until
   * then, but not for longer than so many milliseconds; undefined where it did not come to that.
   */
  async backAtWork(since: number, limit: number): Promise<{ readonly first?: number; readonly all?: number }> {
    for (;;) {
      const firsts = await this.#firstDone(since)
      const ends = [...firsts.values()].map((ended) => ended - since)
      const all = this.crew.alive.length > 0 && this.crew.alive.every(({ pid }) => firsts.has(pid))
      const first = ends.length > 0 ? { first: Math.min(...ends) } : {}
      if (all) return { ...first, all: Math.max(...this.crew.alive.map(({ pid }) => (firsts.get(pid) ?? 0) - since)) }
      if (epoch() - since > limit) return first
      await this.refill()
    }
  }

  /** Sees to it that there is work for all. */
  async refill(takes = 80): Promise<void> {
    if ((await this.counts()).waiting < 200) await this.enqueue(100, 'work', takes).catch(() => {})
    await sleep(50)
  }

  /** How many handlers were at work at once, on average, from one moment to another. */
  async atWork(from: number, to: number): Promise<number> {
    const shares = (await this.deeds()).map(({ begun, ended }) => Math.min(ended ?? to, to) - Math.max(begun, from))
    return shares.reduce((sum, share) => sum + Math.max(share, 0), 0) / (to - from)
  }

  async #firstDone(since: number): Promise<Map<number, number>> {
    const rows = await this.witness
      .selectFrom('deeds')
      .select((eb) => ['pid', eb.fn.min<number>('ended').as('ended')])
      .where('begun', '>=', since)
      .where('how', '=', 'returned')
      .groupBy('pid')
      .execute()
    return new Map(rows.map(({ pid, ended }) => [pid, ended]))
  }

  /** Lets the hold of all held jobs end, where its time can't be set. */
  async age(): Promise<void> {
    if (this.peer.age !== undefined) await sql.raw(this.peer.age).execute(this.#db)
  }

  /** The pid of a backend that serves the crew. */
  async backend(): Promise<number> {
    const { rows } = await sql<{ pid: number }>`select pid from pg_stat_activity
      where datname = current_database() and pid <> pg_backend_pid() and client_port is not null
      order by backend_start desc`.execute(this.#db)
    if (rows[0] === undefined) throw new Error('no backend')
    return rows[0].pid
  }
}

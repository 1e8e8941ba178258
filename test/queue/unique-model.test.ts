import fc from 'fast-check'
import { sql } from 'kysely'
import { enqueue } from 'kysely-jobs'
import { fetchNextJobs, settle } from 'kysely-jobs/queue'
import { expect, test } from 'vitest'
import { testDatabase } from '../support/database.js'
import { worker } from './mail-jobs.js'
import { createSyncTables, type SyncDatabase, unique } from './sync-jobs.js'

const { db } = await testDatabase<SyncDatabase>(createSyncTables)

/** A job, as the model has it: minutes of the clock stand for time. */
interface ModelJob {
  readonly shop: number
  readonly enqueued: number
  cursor: string
  state: 'waits' | 'runs' | 'retries' | 'over'
}

type Table = 'sync_jobs' | 'queued_jobs' | 'hourly_jobs'
type Step =
  | {
      readonly do: 'enqueue'
      readonly shops: readonly number[]
      readonly onConflict: 'ignore' | 'replace' | 'keepEarliest'
    }
  | { readonly do: 'claim' | 'succeed' | 'retry' | 'wait' }

const anyStep: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 3,
    arbitrary: fc.record({
      do: fc.constant('enqueue' as const),
      shops: fc.array(fc.nat(2), { minLength: 1, maxLength: 4 }),
      onConflict: fc.constantFrom('ignore' as const, 'replace' as const, 'keepEarliest' as const),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constantFrom('claim' as const, 'succeed' as const, 'retry' as const, 'wait' as const),
    }),
  },
)

/** Plays steps on a table, and says after each what the model says. */
class Play {
  readonly #table: Table
  readonly #jobs = new Map<string, ModelJob>()
  #clock = 0
  #calls = 0

  constructor(table: Table) {
    this.#table = table
  }

  async play(step: Step): Promise<void> {
    if (step.do === 'enqueue') await this.#enqueue(step)
    else if (step.do === 'claim') await this.#claim()
    else if (step.do === 'wait') await this.#wait()
    else await this.#settle(step.do)
    const rows = await db.selectFrom(this.#table).select(['id', 'cursor', 'status']).execute()
    expect(Object.fromEntries(rows.map(({ id, cursor, status }) => [id, [cursor, status]]))).toEqual(
      Object.fromEntries([...this.#jobs].map(([id, { cursor, state }]) => [id, [cursor, statusOf[state]]])),
    )
  }

  async #enqueue({ shops, onConflict }: Step & { readonly do: 'enqueue' }): Promise<void> {
    const cursor = `${++this.#calls}`
    const values = shops.map((shop) => ({ shop, resource: 'r', cursor }))
    const options = {
      sync_jobs: { unique, onConflict },
      queued_jobs: { unique, onConflict, whileRunning: 'queue' as const },
      hourly_jobs: { unique, within: '1h' as const },
    }[this.#table]
    const answers = (await enqueue(db, this.#table, values, options as object)) as unknown as {
      job: { id: string }
      isNew: boolean
    }[]
    for (const [n, shop] of shops.entries()) {
      const answer = answers[n]!
      const known = this.#standing(shop)
      expect([answer.isNew, answer.job.id]).toEqual([known === undefined, known?.[0] ?? answer.job.id])
      if (known === undefined) this.#jobs.set(answer.job.id, { shop, cursor, enqueued: this.#clock, state: 'waits' })
      else if (
        onConflict === 'replace' &&
        this.#table !== 'hourly_jobs' &&
        ['waits', 'retries'].includes(known[1].state)
      ) {
        Object.assign(known[1], { cursor, state: 'waits' })
      }
    }
  }

  #standing(shop: number): [string, ModelJob] | undefined {
    const same = [...this.#jobs].filter(([, job]) => job.shop === shop)
    if (this.#table === 'queued_jobs') return same.find(([, { state }]) => state === 'waits')
    const unfinished = same.find(([, { state }]) => state !== 'over')
    if (this.#table === 'sync_jobs' || unfinished) return unfinished
    return same.find(([, { enqueued }]) => this.#clock - enqueued < 60)
  }

  async #claim(): Promise<void> {
    const jobs = await fetchNextJobs(db, this.#table, { worker, limit: 2 })
    for (const { id } of jobs) this.#jobs.get(id)!.state = 'runs'
  }

  async #settle(kind: 'succeed' | 'retry'): Promise<void> {
    const running = await db
      .selectFrom(this.#table)
      .select(['id', 'attempts_count'])
      .where('status', '=', 'job_status_running')
      .limit(2)
      .execute()
    const outcomes = running.map(({ id, attempts_count: attempt }) => {
      return kind === 'succeed'
        ? ({ id, attempt, kind: 'succeeded' } as const)
        : ({ id, attempt, kind, error: 'no', delay: 0 } as const)
    })
    expect(await settle(db, this.#table, outcomes, { worker })).toHaveLength(running.length)
    for (const { id } of running) this.#jobs.get(id)!.state = kind === 'succeed' ? 'over' : 'retries'
  }

  /** Half an hour and a bit passes. */
  async #wait(): Promise<void> {
    this.#clock += 31
    await db.updateTable(this.#table).set({ created_at: sql`created_at - interval '31 minutes'` }).execute()
  }
}

const statusOf = {
  waits: 'job_status_not_started',
  runs: 'job_status_running',
  retries: 'job_status_retry',
  over: 'job_status_succeeded',
}

test.each(['sync_jobs', 'queued_jobs', 'hourly_jobs'] as const)(
  'whatever is enqueued, claimed and ended in turn, of %s each call is answered as the model says',
  { timeout: 60_000 },
  async (table) => {
    const anyPlay = fc.array(anyStep, { minLength: 5, maxLength: 25, size: 'max' })
    const play = async (steps: Step[]) => {
      await db.deleteFrom(table).execute()
      const one = new Play(table)
      for (const step of steps) await one.play(step)
    }
    await fc.assert(fc.asyncProperty(anyPlay, play), { numRuns: 25, interruptAfterTimeLimit: 30_000 })
  },
)

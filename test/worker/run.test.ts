import { expect, test } from 'vitest'
import type { Outcome } from '../../src/queue/outcome.js'
import { settingsOf, type WorkerOptions } from '../../src/worker/options.js'
import { LeaseLostError, ShutdownError } from '../../src/worker/run/abort-reason.js'
import { Attempt } from '../../src/worker/run/attempt.js'
import { FatalError, retryIn, snooze } from '../../src/worker/run/handler-outcome.js'
import type { Handling } from '../../src/worker/run/handling.js'
import { outcomeOfError, outcomeOfValue } from '../../src/worker/run/outcome.js'
import { Run } from '../../src/worker/run/run.js'
import type { UsedColumn, WorkerScope } from '../../src/worker/scope.js'
import { quiet } from './mail-jobs.js'

// A run needs neither a database nor a worker.

type Call = Handling['call']

function runOf(
  count: number,
  { columns = [] as UsedColumn[], ...options }: WorkerOptions & { columns?: UsedColumn[] } = {},
) {
  const reported: unknown[] = []
  const scope = {
    settings: settingsOf({ logger: quiet, ...options }),
    columns,
    snapshots: { conflictedAt: undefined },
    report: (error: unknown) => reported.push(error),
  } as unknown as WorkerScope // what a run knows of its worker
  const outcomes: [id: unknown, outcome: Outcome][] = []
  const attempts = Array.from(
    { length: count },
    (_, n) => new Attempt({ id: n + 1, attempts_count: 1, last_error: null }, performance.now()),
  )
  const decided = ({ id }: Attempt, outcome: Outcome) => outcomes.push([id, outcome])
  let run: Run | undefined
  const call = (call: Call) => {
    const outcomeOf: Handling['outcomeOf'] = (attempt, returned) => outcomeOfValue(scope, attempt, returned)
    run = new Run(scope, { size: count, call, outcomeOf }, attempts, decided)
    return run.call()
  }
  return { run: { call, timeOut: () => run?.timeOut() }, attempts, outcomes, reported }
}

async function outcomeOf(call: Call, options: Parameters<typeof runOf>[1] = {}): Promise<Outcome | undefined> {
  const { run, outcomes, reported } = runOf(1, options)
  await run.call(call)
  expect(reported).toEqual([])
  return outcomes[0]?.[1]
}

test('a handler that returns has succeeded; what it returns is JSON from then on, where the table has a column for it', async () => {
  expect(await outcomeOf(() => ({ a: 1 }))).toEqual({ kind: 'succeeded' })
  const columns: UsedColumn[] = ['result']
  expect(await outcomeOf(() => ({ a: 1 }), { columns })).toEqual({ kind: 'succeeded', json: '{"a":1}' })
  expect(await outcomeOf(async () => undefined, { columns })).toEqual({ kind: 'succeeded' })
  expect(await outcomeOf(() => null, { columns })).toEqual({ kind: 'succeeded', json: 'null' })
  expect(await outcomeOf(() => ({ a: 1 }), { columns, succeeded: 'delete' })).toEqual({ kind: 'succeeded' })
})

const hostile: Record<string, () => unknown> = {
  'a bigint': () => 1n,
  'a value with a bigint in it': () => ({ a: [1n] }),
  'a circle': () => {
    const circle: unknown[] = []
    circle.push(circle)
    return circle
  },
  'a proxy that throws at every touch': () => {
    const fail = () => {
      throw new Error('do not touch')
    }
    // resolved with it, a promise looks for its `then`
    return new Proxy({}, { get: (_, key) => (key === 'then' ? undefined : fail()), ownKeys: fail, has: fail })
  },
  'a toJSON that throws': () => ({
    toJSON: () => {
      throw new Error('no')
    },
  }),
  'half of a surrogate pair': () => '\ud800',
}

test.each(Object.entries(hostile))('%s as a result is a failed attempt that says so', async (_, value) => {
  expect(await outcomeOf(async () => value(), { columns: ['result'] })).toMatchObject({
    kind: 'retry',
    error: expect.stringContaining('ResultError: The handler returned'),
  })
  expect(await outcomeOf(async () => value())).toEqual({ kind: 'succeeded' }) // nobody would have stored it
})

test('a result is serialised once, when the handler returns', async () => {
  let calls = 0
  const value = {
    toJSON: () => {
      calls += 1
      if (calls > 1) throw new Error('only once')
      return 'once'
    },
  }
  expect(await outcomeOf(() => value, { columns: ['result'] })).toEqual({ kind: 'succeeded', json: '"once"' })
  expect(calls).toBe(1)
})

test('what a handler throws is a retry while attempts are left, and a failure then or where it is fatal', async () => {
  const fail = () => Promise.reject(new Error('away'))
  expect(await outcomeOf(fail)).toMatchObject({ kind: 'retry', error: expect.stringMatching(/^Error: away/) })
  expect(await outcomeOf(fail, { maxAttempts: 1 })).toMatchObject({ kind: 'failed' })
  expect(await outcomeOf(() => Promise.reject(new FatalError('no')))).toMatchObject({ kind: 'failed' })
})

test('a FatalError of another copy of this package is as fatal, and so is a class that extends it', async () => {
  const copy: typeof import('../../src/worker/run/handler-outcome.js') = await import(
    // the query makes it another module
    `../../src/worker/run/handler-outcome.js${'?copy'}`
  )
  expect(copy.FatalError).not.toBe(FatalError)
  class NoSuchAddress extends copy.FatalError {}
  expect(await outcomeOf(() => Promise.reject(new copy.FatalError('no')))).toMatchObject({ kind: 'failed' })
  expect(await outcomeOf(() => Promise.reject(new NoSuchAddress('no')))).toMatchObject({ kind: 'failed' })
  expect(await outcomeOf(async () => copy.snooze('5m'))).toEqual({ kind: 'snoozed', delay: 300_000 })
})

test('an outcome of a handler that this version does not know, or that was made by hand, is a failed attempt', async () => {
  const strange = { ...snooze('5m'), kind: 'sleep' }
  expect(await outcomeOf(() => strange)).toMatchObject({
    kind: 'retry',
    error: expect.stringContaining('does not know'),
  })
  const forged = { ...snooze('5m'), delay: Number.NaN }
  expect(await outcomeOf(() => forged)).toMatchObject({ kind: 'retry', error: expect.stringContaining('snooze') })
  const odd = { ...retryIn('5m'), reason: 7 }
  expect(await outcomeOf(() => odd)).toMatchObject({ kind: 'retry', delay: 300_000 })
})

test('an outcome that is thrown in place of returned is a failed attempt that says how to do it', async () => {
  const text = 'The handler threw snooze(...): to have its effect it must be returned, as in return snooze(...)'
  expect(await outcomeOf(() => Promise.reject(snooze('5m')))).toEqual({ kind: 'retry', error: text })
})

test('the timeout decides, and what the handler does then is not written; it is called over when it really ends', async () => {
  const end = Promise.withResolvers<void>()
  const { run, attempts, outcomes } = runOf(1, { timeout: '1s' })
  const called = run.call(() => end.promise)
  run.timeOut()
  expect(attempts[0]?.signal.reason).toMatchObject({ code: 'TIMEOUT', message: expect.stringContaining('1000 ms') })
  end.resolve()
  await called
  expect(outcomes).toEqual([[1, { kind: 'retry', error: 'Timeout reached' }]])
})

test('an attempt that was lost meanwhile has no outcome; at a shutdown it is released', async () => {
  const { run, attempts, outcomes } = runOf(2)
  await run.call(() => {
    attempts[0]?.lose(new LeaseLostError('another has it'))
    attempts[1]?.abort(new ShutdownError('stopped'))
    throw new Error('aborted')
  })
  expect(outcomes).toEqual([[2, { kind: 'released' }]])
})

test('one call over many attempts is the outcome of each', async () => {
  const { run, attempts, outcomes } = runOf(3)
  let seen: readonly Attempt[] = []
  await run.call((given) => {
    seen = given
    return snooze(1)
  })
  expect(seen).toEqual(attempts)
  expect(outcomes).toEqual([1, 2, 3].map((id) => [id, { kind: 'snoozed', delay: 1 }]))
})

test.each([
  ['was held', true, 'released'],
  ['has a lease', false, 'retry'],
])(
  'where a transaction of the job began before its lease, and its worker knows of such: one that %s',
  (_, wasHeld, kind) => {
    const scope = {
      settings: settingsOf({ logger: quiet }),
      columns: [],
      snapshots: { conflictedAt: performance.now() },
    } as unknown as WorkerScope // what an outcome knows of its worker
    const attempt = new Attempt({ id: 1, attempts_count: 1, last_error: null }, performance.now())
    if (wasHeld) attempt.hold(undefined)
    attempt.begin()
    attempt.conflict()
    expect(outcomeOfError(scope, attempt, new Error('could not serialize access'))).toMatchObject({ kind })
  },
)

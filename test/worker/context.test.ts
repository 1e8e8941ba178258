import { inspect } from 'node:util'
import { expect, test } from 'vitest'
import { settingsOf } from '../../src/worker/options.js'
import { LeaseLostError } from '../../src/worker/run/abort-reason.js'
import { Attempt } from '../../src/worker/run/attempt.js'
import { contextOf } from '../../src/worker/run/context.js'
import type { WorkerScope } from '../../src/worker/scope.js'
import { quiet } from './mail-jobs.js'

// What a handler gets beside its job: the signal is made when it is first asked for, wherever that is.

const scope = { worker: 'w', settings: settingsOf({ logger: quiet }) } as unknown as WorkerScope // what a context knows of it
const reason = new LeaseLostError('taken')

function begun() {
  const attempt = new Attempt({ id: 1, attempts_count: 3, to: 'secret' }, performance.now())
  attempt.begin()
  return { attempt, context: contextOf(scope, attempt) }
}

test.each<[string, (context: object) => object]>([
  ['a context', (context) => context],
  ['a copy of it', (context) => ({ ...context, more: 1 })],
  ['what is derived from it', (context) => Object.create(context)],
  ['a proxy of it', (context) => new Proxy(context, {})],
  ['what is assigned from it', (context) => Object.assign({}, context)],
])('the signal of %s aborts with its attempt', (_, made) => {
  const { attempt, context } = begun()
  const signal: AbortSignal = Reflect.get(made(context), 'signal')
  expect(signal).toBeInstanceOf(AbortSignal)
  expect(signal.aborted).toBe(false)
  attempt.lose(reason)
  expect(signal.reason).toBe(reason)
  expect(context.signal).toBe(signal)
})

test('a signal that is asked for after the abort is aborted, with the same reason', () => {
  const { attempt, context } = begun()
  attempt.lose(reason)
  expect(context.signal.aborted).toBe(true)
  expect(context.signal.reason).toBe(reason)
})

test('a context has its values by their names, and shows its job to no log', () => {
  const { context } = begun()
  expect(Object.keys(context).sort()).toEqual(['attempt', 'complete', 'hold', 'logger', 'signal', 'worker'])
  expect(inspect(context, { depth: 9 })).not.toContain('secret')
  expect(JSON.parse(JSON.stringify(context))).toMatchObject({ attempt: 3, worker: 'w' })
})

test.each<[string, (context: object, signal: AbortSignal) => object]>([
  ['a context', (context, signal) => Object.assign(context, { signal })],
  ['what is derived from it', (context, signal) => Object.assign(Object.create(context), { signal })],
  ['a proxy of it', (context, signal) => Object.assign(new Proxy(context, {}), { signal })],
])('whoever wraps handlers may give %s another signal', (_, given) => {
  const { context } = begun()
  const own = new AbortController().signal
  expect(given(context, own)).toMatchObject({ signal: own })
})

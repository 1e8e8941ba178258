import { expect, test } from 'vitest'
import { LeaseLostError, ShutdownError, TimeoutError } from '../../src/worker/run/abort-reason.js'
import { Attempt, type AttemptState, attemptMoves } from '../../src/worker/run/attempt.js'

const lost = new LeaseLostError('lost')

/** Ways into each state. */
const ways: Record<AttemptState, (attempt: Attempt) => unknown> = {
  claimed: () => {},
  begun: (attempt) => attempt.begin(),
  ended: (attempt) => attempt.end(),
  outdated: (attempt) => attempt.end() && attempt.supersede(lost),
  written: (attempt) => attempt.end() && attempt.written(),
  lost: (attempt) => attempt.lose(lost),
}

function attemptThatIs(state: AttemptState): Attempt {
  const attempt = new Attempt({ id: 'a', attempts_count: 2, last_error: null }, performance.now())
  ways[state](attempt)
  expect(attempt.state).toBe(state)
  return attempt
}

const states = Object.keys(attemptMoves) as AttemptState[]

const movers: Record<Exclude<AttemptState, 'claimed' | 'outdated'>, (attempt: Attempt) => boolean> = {
  begun: (attempt) => attempt.begin(),
  ended: (attempt) => attempt.end(),
  written: (attempt) => attempt.written(),
  lost: (attempt) => attempt.lose(lost),
}

test.each(states)('an attempt that is %s goes where the table of moves lets it, and nowhere else', (state) => {
  for (const [to, move] of Object.entries(movers)) {
    const attempt = attemptThatIs(state)
    const allowed = (attemptMoves[state] as readonly string[]).includes(to)
    expect(move(attempt)).toBe(allowed)
    expect(attempt.state).toBe(allowed ? to : state)
  }
})

test('its row may be written while it waits, runs or is being written; its outcome is open until it is decided', () => {
  expect(states.filter((state) => attemptThatIs(state).holdsLease)).toEqual(['claimed', 'begun', 'ended'])
  expect(states.filter((state) => attemptThatIs(state).isOpen)).toEqual(['claimed', 'begun'])
})

test('a job that comes again loses the attempt that had it, but of one that has ended the outcome may have been written', () => {
  for (const state of ['claimed', 'begun'] as const) {
    const attempt = attemptThatIs(state)
    expect(attempt.supersede(lost)).toBe(true)
    expect(attempt).toMatchObject({ state: 'lost', abortReason: lost })
  }
  const ended = attemptThatIs('ended')
  expect(ended.supersede(lost)).toBe(false)
  expect(ended).toMatchObject({ state: 'outdated', holdsLease: false })
  for (const state of ['written', 'lost'] as const) {
    const attempt = attemptThatIs(state)
    expect(attempt.supersede(lost)).toBe(false) // nobody is told twice
    expect(attempt.state).toBe(state)
  }
})

test('the first reason to abort stands, and a signal that is asked for later has it', () => {
  const attempt = attemptThatIs('begun')
  const timeout = new TimeoutError('too long')
  attempt.abort(timeout)
  attempt.abort(new ShutdownError('stopped'))
  expect(attempt.abortReason).toBe(timeout)
  expect(attempt.signal.reason).toBe(timeout)
})

test('an attempt begins only while its lease is young enough: by then another may have it', () => {
  const attempt = new Attempt({ id: 'a', attempts_count: 1, last_error: null }, performance.now() - 100)
  expect(attempt.mayBegin(50)).toBe(false)
  expect(attempt.mayBegin(10_000)).toBe(true)
  attempt.renewed(performance.now() + 60)
  expect(attempt.mayBegin(50)).toBe(true)
  attempt.begin()
  expect(attempt.mayBegin(10_000)).toBe(false)
})

test('how long a handler ran is known once it was called, and stands when its outcome is decided', async () => {
  expect(attemptThatIs('ended').duration).toBeUndefined() // released before it was begun
  const attempt = attemptThatIs('begun')
  expect(attempt.duration).toBeGreaterThanOrEqual(0)
  attempt.end()
  const { duration } = attempt
  await new Promise((resolve) => setImmediate(resolve))
  expect(attempt.duration).toBe(duration)
})

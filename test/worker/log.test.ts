import { expect, test } from 'vitest'
import type { WorkerEvents } from '../../src/worker/events.js'
import { log, type ToldEvent } from '../../src/worker/events.js'
import { LeaseLostError } from '../../src/worker/run/abort-reason.js'
import { errorText } from '../../src/worker/run/error-text.js'
import { read } from '../readme/blocks.js'

const job = { id: 7, to: 'ada@example.com' }
const run = { job, attempt: 2, wait: 12, duration: 34, traceId: 'ab' }

/** An event of each kind, with all that it may have. */
const events: { readonly [Name in ToldEvent]: WorkerEvents<object>[Name][0] } = {
  started: { worker: 'w' },
  claimed: { jobs: [job], took: 3 },
  succeeded: run,
  retry: { ...run, error: 'away' },
  failed: { ...run, error: 'away' },
  timedOut: { ...run, error: 'Timeout reached' },
  snoozed: { ...run, delay: 1_000 },
  cancelled: { ...run, reason: 'they left' },
  released: run,
  lost: { job, attempt: 2, reason: new LeaseLostError('taken'), traceId: 'ab' },
  rescued: { jobs: [{ id: 7, attempt: 1, status: 'job_status_retry' } as never] },
  listener: { state: 'listening' },
  idle: {},
  paused: { by: 'key', where: { tenant_id: '5' }, reason: 'they asked', until: new Date() },
  resumed: { by: 'key', where: { tenant_id: '5' } },
  archive: { made: ['a'], dropped: [], misplaced: 0, moved: 0 },
  stopped: { left: 0 },
}

/** The line of an event: its level, its fields and its text. */
function lineOf(name: ToldEvent, payload: object): { level: string; fields: string[]; text: string } | undefined {
  const lines: { level: string; fields: string[]; text: string }[] = []
  const at = (level: string) => (facts: object, text: string) =>
    void lines.push({ level, fields: Object.keys(facts), text })
  const logger = { debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error') }
  log({ logger, describeError: errorText }, 'mail_jobs', name, payload)
  expect(lines).toHaveLength(1)
  return lines[0]
}

test('each event is one line of the level and the fields that the documentation lists, and no payload', () => {
  const [, logs = ''] = read('docs/telemetry.md').split(/^## Logs$/m)
  const rows = [...logs.matchAll(/^\| `(\w+)` \| (\w+)[^|]* \|(.*)\|$/gm)]
  const listed = rows.map(([, name, level, fields = '']) => [
    name,
    level,
    [...fields.matchAll(/`(\w+)`/g)].map(([, field]) => field).toSorted(),
  ])
  const names = Object.keys(events) as ToldEvent[]
  const today = names.map((name) => {
    const line = lineOf(name, events[name])
    expect(line?.text).not.toContain('ada@example.com')
    return [name, line?.level, line?.fields.filter((field) => field !== 'table').toSorted()]
  })
  expect(listed.slice(0, -1)).toEqual(today)
  expect(listed.at(-1)).toEqual(['error', 'error', ['error']])
})

test('what is no routine by its payload is a warning', () => {
  expect(lineOf('listener', { state: 'retrying', reason: new Error('refused') })?.level).toBe('warn')
  expect(lineOf('stopped', { left: 1 })?.level).toBe('warn')
  expect(lineOf('archive', { ...events.archive, misplaced: 1 })?.level).toBe('warn')
})

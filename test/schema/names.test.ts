import fc from 'fast-check'
import { sql } from 'kysely'
import { expect, test } from 'vitest'
import {
  channelName,
  dueIndexName,
  failedIndexName,
  finishedIndexName,
  functionName,
  insertTriggerName,
  quoted,
  quotedName,
  readyIndexName,
  runningIndexName,
  type TableName,
  updateTriggerName,
} from '../../src/schema/names.js'
import { testDatabase } from '../support/database.js'

const { db } = await testDatabase()
const all = [
  channelName,
  functionName,
  insertTriggerName,
  updateTriggerName,
  readyIndexName,
  dueIndexName,
  runningIndexName,
  failedIndexName,
  finishedIndexName,
]
const inPublic = (name: string): TableName => ({ schema: 'public', name })
const part = fc
  .string({ unit: 'binary', minLength: 1, maxLength: 63 })
  .filter((text) => !text.includes('\0') && text.isWellFormed() && Buffer.byteLength(text) <= 63)
const table = fc.record({ schema: fc.oneof(fc.constant('public'), part), name: part })

test("a table in public has the seed's names", () => {
  expect(all.map((name) => name(inPublic('send_mail_jobs')))).toEqual([
    'job_available_send_mail_jobs',
    'notify_job_queued_send_mail_jobs',
    'did_insert_job_send_mail_jobs',
    'did_update_job_send_mail_jobs',
    'job_ready_send_mail_jobs',
    'job_due_send_mail_jobs',
    'job_running_send_mail_jobs',
    'job_failed_send_mail_jobs',
    'job_finished_send_mail_jobs',
  ])
})

test('a name is plain up to 63 bytes, and ends in a hash beyond', () => {
  const fits = 'x'.repeat(63 - 'job_available_'.length)
  expect(channelName(inPublic(fits))).toBe(`job_available_${fits}`)
  expect(channelName(inPublic(`${fits}x`))).toMatch(/^job_available_x{40}_[0-9a-f]{8}$/)
})

test('bytes count, not characters, and no character is cut in two', () => {
  const name = channelName(inPublic('ä'.repeat(25)))
  expect(name).toMatch(/^job_available_ä{20}_[0-9a-f]{8}$/)
  expect(channelName(inPublic('🧾'.repeat(15)))).toMatch(/^job_available_🧾{10}_[0-9a-f]{8}$/u)
})

test('the schema is part of the hash where it is not public: channels are the whole database’s', () => {
  const names = ['billing', 'shipping'].map((schema) => channelName({ schema, name: 'jobs' }))
  for (const name of names) expect(name).toMatch(/^job_available_jobs_[0-9a-f]{8}$/)
  expect(new Set([...names, channelName(inPublic('jobs'))]).size).toBe(3)
  expect(channelName({ schema: 'a', name: 'b.c' })).not.toBe(channelName({ schema: 'a.b', name: 'c' }))
})

test('a hash never changes, because the worker must listen where an old migration notifies', () => {
  expect(channelName({ schema: 'billing', name: 'mail_jobs' })).toBe('job_available_mail_jobs_be0fd044')
})

test('every name fits, is well-formed, and tells two tables apart: property', () => {
  fc.assert(
    fc.property(table, table, (one, two) => {
      for (const name of all) {
        expect(Buffer.byteLength(name(one))).toBeLessThanOrEqual(63)
        expect(name(one).isWellFormed()).toBe(true)
        const same = one.schema === two.schema && one.name === two.name
        expect(name(one) === name(two)).toBe(same)
      }
    }),
  )
})

test('a quoted name is read by Postgres as it was meant, whatever is in it: property', async () => {
  await fc.assert(
    fc.asyncProperty(part, async (name) => {
      const { rows } = await sql<{ [name: string]: number }>`select 1 as ${sql.raw(quoted(name))}`.execute(db)
      expect(Object.keys(rows[0] ?? {})).toEqual([name])
    }),
    { numRuns: 50 },
  )
  expect(quotedName({ schema: 'a"b', name: 'c' })).toBe('"a""b"."c"')
  expect(quotedName({ name: 'c' })).toBe('"c"')
})

import { describe, expect, test } from 'vitest'
import { keptRecurrence, type Recurrence, slotsOf } from '../../src/schedule/recurrence.js'

/** The next slots after a time, as ISO text without what is zero. */
function slots(recurrence: Recurrence, from: string, count: number): string[] {
  const { after } = slotsOf(keptRecurrence(recurrence))
  const found: string[] = []
  for (let slot = after(new Date(from)); slot !== undefined && found.length < count; slot = after(slot))
    found.push(text(slot))
  return found
}

const text = (slot: Date) => slot.toISOString().replace(/(:00)?\.000Z$/, 'Z')
const berlin = (cron: string): Recurrence => ({ cron, timeZone: 'Europe/Berlin' })

describe('what can be said', () => {
  test.each<[cron: string, first: string, second: string]>([
    ['0 3 * * *', '2026-01-01T03:00Z', '2026-01-02T03:00Z'],
    ['*/15 9-10 * * MON-FRI', '2026-01-01T09:00Z', '2026-01-01T09:15Z'],
    ['30 0 3 * * *', '2026-01-01T03:00:30Z', '2026-01-02T03:00:30Z'],
    ['@hourly', '2026-01-01T01:00Z', '2026-01-01T02:00Z'],
    ['@daily', '2026-01-02T00:00Z', '2026-01-03T00:00Z'],
    ['@weekly', '2026-01-04T00:00Z', '2026-01-11T00:00Z'],
    ['@monthly', '2026-02-01T00:00Z', '2026-03-01T00:00Z'],
    ['@yearly', '2027-01-01T00:00Z', '2028-01-01T00:00Z'],
    ['0 0 L * *', '2026-01-31T00:00Z', '2026-02-28T00:00Z'],
    ['0 0 LW * *', '2026-01-30T00:00Z', '2026-02-27T00:00Z'],
    ['0 0 15W * *', '2026-01-15T00:00Z', '2026-02-16T00:00Z'],
    ['0 0 * * FRI#2', '2026-01-09T00:00Z', '2026-02-13T00:00Z'],
    ['0 0 * * FRI#L', '2026-01-30T00:00Z', '2026-02-27T00:00Z'],
    ['0 0 31 * *', '2026-01-31T00:00Z', '2026-03-31T00:00Z'],
    ['0 0 29 2 *', '2028-02-29T00:00Z', '2032-02-29T00:00Z'],
  ])('%s', (cron, first, second) => {
    expect(slots({ cron }, '2026-01-01', 2)).toEqual([first, second])
  })
})

test('a day of the month and a day of the week are joined by or, as in cron', () => {
  expect(slots({ cron: '0 0 15 * MON' }, '2026-01-06', 3)).toEqual([
    ...['2026-01-12T00:00Z', '2026-01-15T00:00Z', '2026-01-19T00:00Z'],
  ])
})

test('years ahead: no leap day in 2100', () => {
  expect(slots({ cron: '0 0 29 2 *' }, '2096-03-01', 1)).toEqual(['2104-02-29T00:00Z'])
})

describe('daylight saving', () => {
  test('a time of day that the clock leaps over comes when it has leapt, a list of times as well', () => {
    expect(slots(berlin('30 2 * * *'), '2026-03-28T12:00Z', 2)).toEqual(['2026-03-29T01:00Z', '2026-03-30T00:30Z'])
    expect(slots(berlin('30 2,14 * * *'), '2026-03-29T00:00Z', 2)).toEqual(['2026-03-29T01:00Z', '2026-03-29T12:30Z'])
  })

  test('a time of day that the clock shows twice comes once, the first time', () => {
    expect(slots(berlin('30 2 * * *'), '2026-10-24T12:00Z', 2)).toEqual(['2026-10-25T00:30Z', '2026-10-26T01:30Z'])
  })

  test('what goes by steps or stars goes on as the clock does: nothing in the gap, both of what comes twice', () => {
    expect(slots(berlin('*/30 2 * * *'), '2026-03-28T12:00Z', 2)).toEqual(['2026-03-30T00:00Z', '2026-03-30T00:30Z'])
    expect(slots(berlin('*/30 2 * * *'), '2026-10-24T12:00Z', 5)).toEqual([
      ...['2026-10-25T00:00Z', '2026-10-25T00:30Z', '2026-10-25T01:00Z', '2026-10-25T01:30Z', '2026-10-26T01:00Z'],
    ])
    expect(slots(berlin('0 * * * *'), '2026-03-29T00:00Z', 2)).toEqual(['2026-03-29T01:00Z', '2026-03-29T02:00Z'])
  })

  test('a zone of half an hour, and one without daylight saving', () => {
    expect(slots({ cron: '0 9 * * *', timeZone: 'Asia/Kolkata' }, '2026-03-29', 1)).toEqual(['2026-03-29T03:30Z'])
    expect(slots({ cron: '15 2 4 10 *', timeZone: 'Australia/Lord_Howe' }, '2026-01-01', 1)).toEqual([
      '2026-10-03T15:30Z',
    ])
  })
})

test('an interval counts from its last slot', () => {
  expect(slots({ every: '90m' }, '2026-01-01T00:00:00.000Z', 2)).toEqual(['2026-01-01T01:30Z', '2026-01-01T03:00Z'])
})

describe('the latest slots up to a time', () => {
  test.each<[recurrence: Recurrence, from: string, until: string]>([
    [{ cron: '*/10 * * * *' }, '2026-01-01T00:00Z', '2026-01-01T01:00Z'],
    [{ every: '10m' }, '2026-01-01T00:00Z', '2026-01-01T01:00Z'],
  ])('%j', (recurrence, from, until) => {
    const { upTo } = slotsOf(keptRecurrence(recurrence))
    const found = (most: number, end = until) => upTo(new Date(end), new Date(from), most).map(text)
    expect(found(100)).toHaveLength(7)
    expect(found(2)).toEqual(['2026-01-01T00:50Z', '2026-01-01T01:00Z'])
    expect(found(7)).toEqual(found(100))
    expect(found(100, '2026-01-01T00:59:59.999Z')).toHaveLength(6)
    expect(found(1, '2026-01-01T00:59:59.999Z')).toEqual(['2026-01-01T00:50Z'])
    expect(found(3, '2025-12-31T23:59Z')).toEqual([])
  })

  test('those of a year of seconds are not walked through', () => {
    const { upTo } = slotsOf(keptRecurrence(berlin('* * * * * *')))
    const found = upTo(new Date('2026-10-25T01:10:00.500Z'), new Date('2025-10-25'), 1000)
    expect([found.length, text(found[0] as Date), text(found.at(-1) as Date)]).toEqual([
      ...[1000, '2026-10-25T00:53:21Z', '2026-10-25T01:10Z'],
    ])
  })
})

describe('what is refused', () => {
  test.each<[recurrence: object, message: string]>([
    [{ cron: '0 0 30 2 *' }, `cron: "0 0 30 2 *" never comes: there is no such day in any year`],
    [{ cron: '0 0 31 4,6,9,11 *' }, `never comes`],
    [{ cron: '61 * * * *' }, `cron: "61 * * * *" can't be read: CronPattern: Invalid value for minute: 61`],
    [
      { cron: '* * * *' },
      `cron: "* * * *" has 4 fields; give five (minute, hour, day of the month, month, day of the week), or six`,
    ],
    [{ cron: '0 0 0 1 1 * 2027' }, `has 7 fields; give five`],
    [{ cron: '@reboot' }, `cron: "@reboot" is unknown; of names there are @hourly, @daily,`],
    [{ cron: '2027-01-01T00:00:00' }, `is no cron expression; give five fields`],
    [{ cron: '' }, `is no cron expression`],
    [{ cron: 5 }, `cron: 5 is no cron expression`],
    [{ cron: '0 3 * * *', timeZone: 'Europe/Nowhere' }, `timeZone: "Europe/Nowhere" is unknown; give a name of IANA`],
    [{ cron: '0 3 * * *', timeZone: '+02:00' }, `timeZone: "+02:00" is unknown`],
    [{ cron: '0 3 * * *', every: '1h' }, `give either cron ('0 3 * * *') or every ('15m')`],
    [{}, `give either cron`],
    [{ every: '1h', timeZone: 'UTC' }, `timeZone is for cron`],
    [{ every: '500ms' }, `every: "500ms" is invalid; give at least 1 s`],
    [{ every: '1.0005s' }, `every: "1.0005s" is invalid`],
    [{ every: 'soon' }, `every: "soon" is not a duration`],
  ])('%j', (recurrence, message) => {
    expect(() => keptRecurrence(recurrence as Recurrence)).toThrow(message)
  })
})

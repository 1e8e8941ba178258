import { expect, test } from 'vitest'
import { dueSlots, type Missed } from '../../src/schedule/due-slots.js'
import { keptRecurrence, type Recurrence, slotsOf } from '../../src/schedule/recurrence.js'

/** What is fired of slots that have waited since a time: times of the day, as of 1 January. */
function due(recurrence: Recurrence, next: string, now: string, missed: Missed = 'once') {
  const at = (time: string) => new Date(`2026-01-01T${time}Z`)
  const found = dueSlots(slotsOf(keptRecurrence(recurrence)), at(next), at(now), missed)
  const time = (slot: Date | undefined) => slot?.toISOString().slice(11, 19)
  const count = found.passedOverCount === 0 ? undefined : found.passedOverCount
  return { slots: found.slots.map(time), next: time(found.next), passedOver: time(found.passedOver), count }
}

const hourly = { cron: '0 * * * *' }

test('nothing before its time', () => {
  expect(due(hourly, '03:00:00', '02:59:59.999')).toEqual({ slots: [], next: '03:00:00', passedOver: undefined })
})

test.each<Missed>(['skip', 'once', 'all'])(
  'a slot that comes, or came less than a minute ago, is fired: %s',
  (missed) => {
    for (const now of ['03:00:00', '03:01:00'])
      expect(due(hourly, '03:00:00', now, missed)).toEqual({
        slots: ['03:00:00'],
        next: '04:00:00',
        passedOver: undefined,
      })
  },
)

test('after an hour that nobody was there', () => {
  const after = (missed: Missed, now: string) => due(hourly, '03:00:00', now, missed)
  expect(after('skip', '05:30:00')).toEqual({ slots: [], next: '06:00:00', passedOver: '03:00:00', count: 3 })
  expect(after('once', '05:30:00')).toEqual({
    slots: ['05:00:00'],
    next: '06:00:00',
    passedOver: '03:00:00',
    count: 2,
  })
  expect(after('all', '05:30:00')).toMatchObject({ slots: ['03:00:00', '04:00:00', '05:00:00'], next: '06:00:00' })
})

test('a slot that is due when somebody is there again makes up for those that were missed', () => {
  for (const missed of ['skip', 'once'] as const)
    expect(due(hourly, '03:00:00', '05:00:20', missed)).toMatchObject({
      slots: ['05:00:00'],
      passedOver: '03:00:00',
      count: 2,
    })
})

test('every slot of the last minute is fired, however near they are', () => {
  const { slots, next } = due({ cron: '* * * * * *' }, '03:00:00', '03:00:05.400', 'skip')
  expect(slots).toEqual(['03:00:00', '03:00:01', '03:00:02', '03:00:03', '03:00:04', '03:00:05'])
  expect(next).toBe('03:00:06')
})

test('of very many that were missed the latest thousand', () => {
  const { slots, passedOver, count } = due({ every: '1s' }, '03:00:00', '03:20:00', 'all')
  expect([slots.length, slots[0], slots.at(-1)]).toEqual([1000, '03:03:21', '03:20:00'])
  expect([passedOver, count]).toEqual(['03:00:00', 201])
  expect(due({ every: '1s' }, '03:00:00', '05:00:00', 'once').count).toBe(1000) // or more
})

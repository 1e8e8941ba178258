import { expect, test } from 'vitest'
import { progressText } from '../../src/cli/bulk/progress.js'
import { paintFor } from '../../src/cli/show/paint.js'
import { jsonText, safeLines, safeText } from '../../src/cli/show/safe-text.js'
import { tableText } from '../../src/cli/show/table-text.js'
import { cutTo, padded, widthOf } from '../../src/cli/show/text-width.js'
import { timeText } from '../../src/cli/show/times.js'
import { spanText } from '../../src/observe/time-text.js'

test.each([
  ['a\u001b[2Jb', 'a\\u001b[2Jb'],
  ['a\r\nb\tc', 'a\\r\\nb\\tc'],
  ['\u009b31m', '\\u009b31m'],
  ['\u202egpj.exe', '\\u202egpj.exe'],
  ['a\u200bb', 'a\\u200bb'],
  ['Grüße, 日本 🙂', 'Grüße, 日本 🙂'],
])('%j is shown as %s', (text, shown) => expect(safeText(text)).toBe(shown))

test('a text keeps its own lines where they are wanted, and JSON stays JSON', () => {
  expect(safeLines('a\r\nb\u001b[2J\rc')).toBe('a\nb\\u001b[2J\\rc')
  const value = { text: 'a\u009b\u202e\u{e0001}\n"' }
  expect(JSON.parse(jsonText(value, 2))).toEqual(value)
  expect(jsonText(value)).toBe('{"text":"a\\u009b\\u202e\\udb40\\udc01\\n\\""}')
})

test('what is wide takes two columns, and an accent none', () => {
  expect(['abc', '日本', '🙂', 'e\u0301', 'ä'].map(widthOf)).toEqual([3, 4, 2, 1, 1])
  expect(cutTo('日本語', 5)).toBe('日本…')
  expect(cutTo('abcdef', 4)).toBe('abc…')
  expect([padded('日', 4), padded('7', 3, true)]).toEqual(['日  ', '  7'])
})

const columns = [
  { title: 'ID', text: ({ id }: { id: number }) => String(id), isNumber: true },
  { title: 'NOTE', text: ({ note }: { note: string }) => note, least: 6 },
]

test('columns align, numbers at the right, and a narrow terminal cuts texts, not numbers', () => {
  const rows = [
    { id: 7, note: 'short' },
    { id: 12345, note: 'a longer one' },
  ]
  expect(tableText(columns, rows)).toBe('   ID  NOTE\n    7  short\n12345  a longer one\n')
  expect(tableText(columns, rows, { width: 16 })).toBe('   ID  NOTE\n    7  short\n12345  a longer…\n')
  expect(tableText(columns, rows, { width: 3 })).toBe('   ID  NOTE\n    7  short\n12345  a lon…\n')
})

test('times are said as people do, or as they are', () => {
  const now = new Date('2026-01-31T12:00:00Z')
  const said = (at: string | null, isUtc = false) => timeText(at, { now, isUtc })
  expect(
    ['2026-01-31T11:59:59.5Z', '2026-01-31T11:55:00Z', '2026-01-31T14:00:00Z', '2026-01-21T12:00:00Z'].map((at) =>
      said(at),
    ),
  ).toEqual([...['now', '5 min ago', 'in 2 h', '10 d ago']])
  expect([said(null), said('infinity'), said('2026-01-31T11:55:00.123+01:00', true)]).toEqual([
    '-',
    'infinity',
    '2026-01-31 10:55:00Z',
  ])
})

test('a length of time has at most two units, and no hour has 60 minutes', () => {
  expect([420, 3_200, 9_990, 59_700, 91_000, 240_000, 3_590_000].map(spanText)).toEqual([
    ...['420 ms', '3.2 s', '10 s', '1 min', '1 min 31 s', '4 min', '1 h'],
  ])
  expect([7_200_000, 7_800_000, 14_390_000, 432_000_000].map(spanText)).toEqual([
    ...['2 h', '2 h 10 min', '4 h', '5 d'],
  ])
})

test('progress has the rate, and the time that is left', () => {
  expect(progressText(12_000, 50_000, 1_500)).toBe('12,000 of 50,000 (24 %), 8,000/s, 4.8 s left')
  expect(progressText(50_000, 50_000, 5_000)).toBe('50,000 of 50,000 (100 %), 10,000/s')
  expect(progressText(0, 0, 0)).toBe('0 of 0 (100 %), 0/s')
})

test('colours are for terminals, and for those who have not set NO_COLOR', () => {
  const paper = (isTTY: boolean, env: Record<string, string>) => {
    const output = { isTTY, write: () => {} }
    return paintFor(output, { stdout: output, stderr: output, env }).bad('x')
  }
  expect([paper(true, {}), paper(true, { NO_COLOR: '1' }), paper(true, { TERM: 'dumb' }), paper(false, {})]).toEqual([
    ...['\u001b[31mx\u001b[39m', 'x', 'x', 'x'],
  ])
})

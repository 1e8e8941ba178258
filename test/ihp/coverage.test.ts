import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { expect, test } from 'vitest'

const root = new URL('../../', import.meta.url)
const read = (path: string) => readFileSync(new URL(path, root), 'utf8')

const numbered = (letter: string, count: number) => Array.from({ length: count }, (_, i) => `${letter}${i + 1}`)
const known = [...numbered('S', 47), ...numbered('D', 40)]

/** The numbers at the beginning of a title or of a row: `S12, D24: ...`, `| S12, D24 | ...`. */
const leading = (text: string): string[] => /^(?:[SD]\d+)(?:, [SD]\d+)*(?=:| \|)/.exec(text)?.[0].split(', ') ?? []

/** Of tests that run: neither skipped nor to do. */
const titles = readdirSync(new URL('test/ihp/', root))
  .filter((file) => file.endsWith('.test.ts'))
  .flatMap((file) =>
    [...read(`test/ihp/${file}`).matchAll(/^ *test\((?:'|")([^\n]+)/gm)].map(([, title = '']) => title),
  )
const page = read('docs/seed.md')
const rows = [...page.matchAll(/^\| ([^\n]+)/gm)].map(([, row = '']) => row)

const tested = new Set(titles.flatMap(leading))
const described = new Set(rows.flatMap(leading))

test('every statement and every defect of the seed has a test, or a line that says what we do instead', () => {
  expect(known.filter((number) => !tested.has(number) && !described.has(number))).toEqual([])
})

test('no test and no line claims a number that the seed does not have', () => {
  expect([...tested, ...described].filter((number) => !known.includes(number))).toEqual([])
})

test('what the page mentions is told there or tested, and the files it names are there', () => {
  const mentioned = page.match(/\b[SD]\d+\b/g) ?? []
  expect(mentioned.filter((number) => !tested.has(number) && !described.has(number))).toEqual([])
  const files = [...page.matchAll(/`((?:src|test|docs)\/[\w./-]+)`/g)].map(([, path = '']) => path)
  expect(files.filter((path) => !existsSync(new URL(path, root)))).toEqual([])
})

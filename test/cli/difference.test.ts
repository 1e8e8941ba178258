import fc from 'fast-check'
import { expect, test } from 'vitest'
import { difference } from '../../src/cli/difference.js'

test('equal texts have no difference', () => {
  expect(difference('a\nb\n', 'a\nb\n')).toEqual([])
})

test('what changed is shown with three lines around it, far changes apart', () => {
  const before = Array.from({ length: 20 }, (_, i) => `line ${i + 1}`)
  const after = before.with(4, 'LINE 5').toSpliced(17, 1)
  expect(difference(before.join('\n'), after.join('\n'))).toEqual([
    '@@ line 2 @@',
    ...[' line 2', ' line 3', ' line 4', '-line 5', '+LINE 5', ' line 6', ' line 7', ' line 8'],
    '@@ line 15 @@',
    ...[' line 15', ' line 16', ' line 17', '-line 18', ' line 19', ' line 20'],
  ])
})

test('a property that came in is one line, though its neighbours look alike', () => {
  const table = (name: string, ...columns: string[]) => [`interface ${name} {`, ...columns, '}', '']
  const before = [...table('A', 'id', 'at'), ...table('B', 'id', 'at'), ...table('C', 'id', 'at')]
  const after = [...table('A', 'id', 'at'), ...table('B', 'id', 'name', 'at'), ...table('C', 'id', 'at')]
  const changes = difference(before.join('\n'), after.join('\n')).filter((line) => /^[-+]/.test(line))
  expect(changes).toEqual(['+name'])
})

test('a missing last line end is a difference', () => {
  expect(difference('a', 'a\n')).toEqual(['@@ line 1 @@', ' a', '+'])
})

test('any text becomes the other by what is shown', () => {
  const text = fc.array(fc.constantFrom('a', 'b', 'c', 'd', '}', ''), { maxLength: 12 })
  fc.assert(
    fc.property(text, text, (before, after) => {
      expect(applied(before, difference(before.join('\n'), after.join('\n')))).toEqual(
        after.length === 0 ? [''] : after,
      )
    }),
    { numRuns: 2000 },
  )
})

/** The text that lines of a difference make of another. */
function applied(before: readonly string[], lines: readonly string[]): string[] {
  const rest = before.length === 0 ? [''] : [...before]
  const made: string[] = []
  let at = 1
  for (const line of lines) {
    const hunk = line.match(/^@@ line (\d+) @@$/)
    while (hunk && at < Number(hunk[1])) made.push(rest[at++ - 1]!)
    if (hunk) continue
    if (line[0] !== '+') expect(rest[at++ - 1]).toBe(line.slice(1))
    if (line[0] !== '-') made.push(line.slice(1))
  }
  return [...made, ...rest.slice(at - 1)]
}

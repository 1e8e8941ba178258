import { describe, expect, test } from 'vitest'
import { circles } from './house/floors.js'
import { breachesOf, rules } from './house/rules.js'
import { imports, parse, readSources } from './house/source.js'

const shipped = readSources('src', 'codegen')

describe('the house', () => {
  test('has source', () => {
    expect(shipped.length).toBeGreaterThan(0)
  })

  test.each(rules)('$name', (rule) => {
    expect(breachesOf(rule, shipped)).toEqual([])
  })

  test.each(rules)('it would be seen that not: $name', (rule) => {
    expect(breachesOf(rule, [rule.bad])).not.toEqual([])
  })

  test('no files import each other in a circle', () => {
    expect(circles(shipped)).toEqual([])
    const circle = [
      parse('src/schema/a.ts', `import { b } from './b.js'`),
      parse('src/schema/b.ts', `export type { C } from './c.js'`),
      parse('src/schema/c.ts', `import type { A } from './a.js'`),
    ]
    expect(circles(circle)).toEqual(['src/schema/a.ts -> src/schema/b.ts -> src/schema/c.ts -> src/schema/a.ts'])
  })

  test('pg-listen has one door, in src/watch', () => {
    const doors = shipped.filter((source) => imports(source).some(({ from }) => from === 'pg-listen'))
    expect(doors.map(({ path }) => path)).toEqual([expect.stringMatching(/^src\/watch\//)])
  })

  test('what we do not ship keeps to the same sizes', () => {
    const around = readSources('migrations', 'examples', 'bench', 'tools')
    const sizes = rules.filter(({ name }) => name.includes('longer than'))
    expect(sizes.flatMap((rule) => breachesOf(rule, around))).toEqual([])
  })
})

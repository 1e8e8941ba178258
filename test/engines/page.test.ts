import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { postgres, profiles } from '../../src/schema/engines/profiles.js'

const page = readFileSync('docs/engines.md', 'utf8')

test.each(profiles.map(({ can }) => can.name))(
  'the page has a line and a section of %s, marked where it was not run',
  (name) => {
    const line = page.split('\n').find((each) => each.startsWith(`| [${name}]`))
    const section = page.split(/^## /m).find((each) => each.startsWith(`${name}\n`))
    const isRun = name === postgres.can.name
    expect(line?.includes('*not run here*')).toBe(!isRun)
    expect(section?.includes('*Not run here.*')).toBe(!isRun)
  },
)

test('the page has all that can be said of an engine', () => {
  const [, said = ''] = page.split('| `engine` | what goes by it |')
  const rows =
    said
      .split('\n## ')[0]
      ?.match(/^\|.*?\|/gm)
      ?.join('') ?? ''
  for (const name of ['version', ...Object.keys(postgres.can)]) expect(rows).toContain(`\`${name}\``)
})

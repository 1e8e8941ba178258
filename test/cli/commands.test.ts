import { expect, test } from 'vitest'
import { flags } from '../../src/cli/command.js'
import { commands } from '../../src/cli/commands.js'
import { imports, readSources } from '../house/source.js'
import { run } from './terminal.js'

const names = Object.keys(commands)

test('--help lists every command with what it does, and each has a help of its own, with samples', async () => {
  const { code, stdout, stderr } = await run(['--help'])
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
  expect(stdout).toMatch(/^Usage: kysely-jobs <command>/)
  for (const name of names) {
    expect(stdout).toContain(`\n  ${name} `)
    const help = await run([name, '-h'])
    expect(help).toMatchObject({ code: 0, stderr: '' })
    expect(help.stdout).toMatch(
      new RegExp(`^Usage: kysely-jobs ${name} .*\\n\\nSamples:\\n {2}kysely-jobs ${name}\\b`, 's'),
    )
  }
})

test('to show a help, nothing is loaded but what reads the command line', () => {
  const sources = new Map(readSources('src/cli').map((source) => [source.path, imports(source)]))
  const loaded = new Set<string>()
  const load = (path: string): void => {
    loaded.add(path)
    for (const { from, isLazy } of sources.get(path) ?? []) if (!isLazy && !loaded.has(from)) load(from)
  }
  for (const path of ['src/cli/main.ts', ...names.map((name) => `src/cli/${name}-command.ts`)]) load(path)
  expect([...loaded].filter((path) => !path.startsWith('src/cli/') && !path.startsWith('node:'))).toEqual([])
})

test('a command may stand behind its options', async () => {
  const { code, stderr } = await run(['--url', 'mysql://ada:s3cret@localhost/shop', 'generate'])
  expect({ code, stderr }).toEqual({ code: 1, stderr: expect.stringMatching(/is no Postgres URL/) })
})

test('a value of an option is no command, whatever it is called', async () => {
  const options = new Set<string>()
  for (const name of ['', ...names]) {
    const { stdout } = await run([...(name === '' ? [] : [name]), '--help'])
    for (const [, short, long] of stdout.matchAll(/^ {2}(-\w, )?(--[\w-]+)(?! <) /gm)) {
      for (const option of [short?.slice(0, 2), long]) if (option !== undefined) options.add(option)
    }
  }
  for (const option of ['-v', '--version']) options.delete(option)
  expect([...flags].toSorted()).toEqual([...options].toSorted())
  const { stderr } = await run(['--schema', 'status', '--limit', 'x', 'list', 'jobs'])
  expect(stderr).toBe('kysely-jobs: --limit x is invalid: give 1 to 10000\n')
})

test('help shows the help', async () => {
  expect(await run(['help'])).toEqual(await run(['--help']))
  expect(await run(['help', 'list'])).toEqual(await run(['list', '--help']))
})

test.each([
  [['list', '--stat', 'failed'], "Unknown option '--stat'; did you mean --state?"],
  [['list', '--xyzzy'], "Unknown option '--xyzzy'"],
  [
    ['list', 'mail_jobs', 'x'],
    'An argument too many: write kysely-jobs list [table] [options]; the database is given as --url <url>',
  ],
])('%j is answered with what is wrong and where the help is, which would bury it', async (argv, message) => {
  expect(await run(argv)).toEqual({
    code: 2,
    stdout: '',
    stderr: `kysely-jobs: ${message}\nSee kysely-jobs list --help\n`,
  })
})

test('a command that is mistyped is answered with the one that may be meant', async () => {
  expect(await run(['generat'])).toEqual({
    code: 2,
    stdout: '',
    stderr: 'kysely-jobs: Unknown command: did you mean generate? kysely-jobs --help lists all\n',
  })
})

test.each([
  [[], 'No command: say one of these'],
  [['--verify'], 'No command: say one of these'],
  [['toString'], 'Unknown command: say one of these'],
  [['postgres://ada:s3cret@localhost/shop'], 'Unknown command: say one of these'],
])('%j calls no command, and is answered with the list of them', async (argv, message) => {
  const { code, stdout, stderr } = await run(argv, { DATABASE_URL: 'postgres://localhost/shop' })
  expect({ code, stdout }).toEqual({ code: 2, stdout: '' })
  expect(stderr.startsWith(`kysely-jobs: ${message}`)).toBe(true)
  expect(stderr).toContain('\n\nUsage: kysely-jobs <command>')
  expect(stderr).not.toContain('s3cret')
})

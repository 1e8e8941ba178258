import { cpSync, globSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, describe, expect, test } from 'vitest'
import { compilers, sayingsOf } from './support/compiler.js'

/** A line that must not compile, and what the compiler must say of it. */
interface Refusal {
  readonly at: string
  readonly text: string
}

// `@ts-expect-error` proves that a line does not compile, and says nothing of why. Here the type tests are compiled,
// as a user's project against dist/, without those comments: each line must give the text that its comment promises.

const root = fileURLToPath(new URL('..', import.meta.url))
const project = mkdtempSync(join(tmpdir(), 'kysely-jobs-types-'))
afterAll(() => rmSync(project, { recursive: true, force: true }))
const refusals = copyTypeTests()
/** Of these no message is read. */
const lenient = globSync('tsconfig.*.json', { cwd: join(root, 'test/types') }).sort()

describe.each(compilers)('with %s', { timeout: 120_000 }, (compiler) => {
  // a busy machine compiles slowly
  test('each line that must not compile says why', async () => {
    const said = messages(await sayingsOf(compiler, join(project, 'tsconfig.json')))
    const unsaid = refusals
      .filter(({ at, text }) => !said.get(at)?.includes(text))
      .map(({ at, text }) => ({ at, promised: text, said: said.get(at) }))
    expect(unsaid).toEqual([])
    const promised = new Set(refusals.map(({ at }) => at))
    expect([...said].filter(([at]) => !promised.has(at))).toEqual([])
  })

  test.each(lenient)('all compiles by the settings of %s', async (file) => {
    expect(await sayingsOf(compiler, join(root, 'test/types', file))).toBe('')
  })
})

/** Copies test/types with each `@ts-expect-error` made an ordinary comment; gives what they promise. */
function copyTypeTests(): Refusal[] {
  cpSync(join(root, 'test/types'), project, { recursive: true })
  writeFileSync(join(project, 'package.json'), '{ "type": "module" }')
  mkdirSync(join(project, 'node_modules'))
  symlinkSync(root, join(project, 'node_modules/kysely-jobs'), 'junction')
  symlinkSync(join(root, 'node_modules/kysely'), join(project, 'node_modules/kysely'), 'junction')
  return globSync('*.ts', { cwd: project }).flatMap((file) => {
    const path = join(project, file)
    const text = readFileSync(path, 'utf8')
    writeFileSync(path, text.replaceAll('@ts-expect-error', 'refused:'))
    return promises(file, text.split('\n'))
  })
}

function promises(file: string, lines: readonly string[]): Refusal[] {
  return lines.flatMap((line, i) => {
    const text = line.match(/^\s*\/\/ @ts-expect-error (.+)$/)?.[1]
    return text === undefined ? [] : [{ at: `${file}:${i + 2}`, text }]
  })
}

/** The compiler's output by `file:line`; what stands indented explains the message above it. */
function messages(output: string): ReadonlyMap<string, string> {
  const said = new Map<string, string>()
  let at = 'nowhere'
  for (const line of output.split('\n').filter((line) => line !== '')) {
    const head = line.match(/^(.+?)\((\d+),\d+\): error (.*)$/)
    if (head) at = `${head[1]}:${head[2]}`
    said.set(at, [said.get(at), head?.[3] ?? line.trim()].filter((text) => text !== undefined).join(' '))
  }
  return said
}

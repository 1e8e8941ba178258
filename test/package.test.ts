import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'

const read = (path: string) => readFileSync(new URL(`../${path}`, import.meta.url), 'utf8')
const manifest = JSON.parse(read('package.json'))

test('whoever installs us gets pg-listen, brings kysely and pg, and runs no script', () => {
  expect(Object.keys(manifest.dependencies)).toEqual(['pg-listen'])
  expect(Object.keys(manifest.peerDependencies)).toEqual(['kysely', 'pg'])
  expect(manifest.optionalDependencies).toBeUndefined()
  expect(Object.keys(manifest.scripts)).not.toEqual(
    expect.arrayContaining([expect.stringMatching(/^(pre|post)?(install|prepare|pack|publish)$/)]),
  )
})

test('the tarball holds the library and its documents, nothing else', () => {
  const [{ files }] = JSON.parse(npm('pack', '--dry-run', '--json', '--ignore-scripts', '--loglevel=error'))
  const paths: string[] = files.map(({ path }: { path: string }) => path)
  const expected = /^(dist\/(src|codegen)\/.+\.(js|d\.ts)|(docs|examples)\/.+|[A-Z]+\.md|LICENSE|package\.json)$/
  expect(paths.filter((path) => !expected.test(path))).toEqual([])
  expect(paths).toEqual(expect.arrayContaining(['dist/src/index.js', 'dist/src/index.d.ts', 'LICENSE', 'package.json']))
})

test('the lock file names no host', () => {
  expect(read('package-lock.json').match(/"resolved": "[^"]*:[^"]*"/g)).toBeNull()
})

function npm(...args: string[]): string {
  const script = process.env.npm_execpath // absent where vitest runs alone
  const [program, first] = script === undefined ? ['npm', []] : [process.execPath, [script]]
  return execFileSync(program, [...first, ...args], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] })
}

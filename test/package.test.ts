import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'

const read = (path: string) => readFileSync(new URL(`../${path}`, import.meta.url), 'utf8')
const manifest = JSON.parse(read('package.json'))

test('whoever installs us gets croner and pg-listen, brings kysely and pg, may bring what metrics and traces need, and runs no script', () => {
  expect(Object.keys(manifest.dependencies)).toEqual(['croner', 'pg-listen'])
  const optional = Object.keys(manifest.peerDependenciesMeta)
  expect(optional).toEqual(['@opentelemetry/api', 'prom-client'])
  expect(Object.values(manifest.peerDependenciesMeta)).toEqual([{ optional: true }, { optional: true }])
  expect(Object.keys(manifest.peerDependencies).filter((name) => !optional.includes(name))).toEqual(['kysely', 'pg'])
  expect(manifest.optionalDependencies).toBeUndefined()
  expect(Object.keys(manifest.scripts)).not.toEqual(
    expect.arrayContaining([expect.stringMatching(/^(pre|post)?(install|prepare|pack|publish)$/)]),
  )
})

test('the tarball holds the library and its documents, nothing else', () => {
  const [{ files }] = JSON.parse(npm('pack', '--dry-run', '--json', '--ignore-scripts', '--loglevel=error'))
  const paths: string[] = files.map(({ path }: { path: string }) => path)
  const expected =
    /^(dist\/((src|codegen)\/.+\.(js|d\.ts)|src\/dashboard\/LICENCES\.txt|commonjs\/(.+\.d\.ts|package\.json))|docs\/.+|[A-Z]+\.md|LICENSE|package\.json)$/
  expect(paths.filter((path) => !expected.test(path))).toEqual([])
  const needed = ['dist/src/index.js', 'dist/src/index.d.ts', 'dist/commonjs/index.d.ts', 'dist/commonjs/package.json']
  expect(paths).toEqual(expect.arrayContaining([...needed, 'LICENSE', 'package.json']))
})

test('its page in the registry leads to the repository, and each entry point has types for import and for require', () => {
  expect(manifest).toMatchObject({
    homepage: expect.stringContaining('https://'),
    bugs: expect.stringContaining('https://'),
    repository: { type: 'git', url: expect.stringContaining('git+https://') },
  })
  const { './package.json': _, ...entries } = manifest.exports as Record<string, Record<string, unknown>>
  for (const [name, conditions] of Object.entries(entries)) {
    const folder = name === '.' ? '' : `${name.slice(2)}/`
    expect(conditions).toEqual({
      require: { types: `./dist/commonjs/${folder}index.d.ts`, default: `./dist/src/${folder}index.js` },
      types: `./dist/src/${folder}index.d.ts`,
      default: `./dist/src/${folder}index.js`,
    })
    if (folder !== '')
      expect(manifest.typesVersions['*'][name.slice(2)]).toEqual([`./dist/commonjs/${folder}index.d.ts`])
  }
})

test('the lock file names no host', () => {
  expect(read('package-lock.json').match(/"resolved": "[^"]*:[^"]*"/g)).toBeNull()
})

function npm(...args: string[]): string {
  const script = process.env.npm_execpath // absent where vitest runs alone
  const [program, first] = script === undefined ? ['npm', []] : [process.execPath, [script]]
  return execFileSync(program, [...first, ...args], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] })
}

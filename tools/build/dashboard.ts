import { globSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { relative, resolve } from 'node:path'
import { build, type Plugin } from 'esbuild'

/**
 * Makes one file of the dashboard: with the packages that it is made with, its style and the script of its pages. So whoever uses the queue alone
 * installs none of these, and no runtime has to find files beside it.
 */
const [source, target] = ['src/dashboard', 'dist/src/dashboard']

/** What a browser gets. */
async function assets(): Promise<Record<string, string>> {
  const style = globSync(`${source}/style/*.css`).sort()
  const made = await Promise.all([
    build({
      stdin: { contents: style.map((file) => readFileSync(file, 'utf8')).join('\n'), loader: 'css' },
      minify: true,
      write: false,
      target: 'es2022',
    }),
    build({
      entryPoints: [`${source}/client/main.ts`],
      bundle: true,
      minify: true,
      write: false,
      format: 'iife',
      target: 'es2022',
    }),
  ])
  const [css = '', script = ''] = made.map(({ outputFiles }) => outputFiles[0]?.text.trim())
  return { 'dashboard:style': css, 'dashboard:script': script }
}

/** Other floors stay modules of their own: there is one of each, in a program that has the dashboard too. */
const otherFloors: Plugin = {
  name: 'other floors',
  setup({ onResolve }) {
    onResolve({ filter: /^\./ }, ({ path, importer, resolveDir }) => {
      const file = resolve(resolveDir, path)
      if (importer === '' || importer.includes('node_modules') || file.startsWith(resolve(target))) return undefined
      return { path: relative(target, file).replaceAll('\\', '/'), external: true }
    })
  },
}

const texts = await assets()
const asTexts: Plugin = {
  name: 'assets',
  setup({ onResolve, onLoad }) {
    onResolve({ filter: /^dashboard:/ }, ({ path }) => ({ path, namespace: 'asset' }))
    onLoad({ filter: /.*/, namespace: 'asset' }, ({ path }) => ({ contents: texts[path] ?? '', loader: 'text' }))
  },
}

const made = await build({
  entryPoints: [`${target}/index.js`],
  bundle: true,
  write: false,
  format: 'esm',
  platform: 'node',
  target: 'node22',
  external: ['kysely'],
  plugins: [otherFloors, asTexts],
  metafile: true,
})
for (const file of globSync(`${target}/**/*.js`)) rmSync(file)
writeFileSync(`${target}/index.js`, made.outputFiles[0]?.text ?? '')

/** Whose licences ask that their text goes along. */
const packages = new Set(
  Object.keys(made.metafile.inputs).flatMap((file) => /^node_modules\/((?:@[^/]+\/)?[^/]+)\//.exec(file)?.[1] ?? []),
)
const licences = [...packages, 'idiomorph'].sort().map((name) => {
  const [file] = globSync(`node_modules/${name}/LICEN[CS]E*`)
  if (file === undefined) throw new Error(`${name} has no file of its licence`)
  return `${name}\n\n${readFileSync(file, 'utf8').trim()}\n`
})
writeFileSync(`${target}/LICENCES.txt`, licences.join('\n----\n\n'))

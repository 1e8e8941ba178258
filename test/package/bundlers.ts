import { basename, join } from 'node:path'
import commonjsPlugin from '@rollup/plugin-commonjs'
import jsonPlugin from '@rollup/plugin-json'
import { nodeResolve } from '@rollup/plugin-node-resolve'
import { build } from 'esbuild'
import { rollup } from 'rollup'

export const formats = ['esm', 'cjs'] as const
export type Format = (typeof formats)[number]

/** Their types say that Node would find the function a level deeper. */
const commonjs = commonjsPlugin as unknown as typeof commonjsPlugin.default
const json = jsonPlugin as unknown as typeof jsonPlugin.default

/** Each puts the bundles of a program, one for each format, into a folder, as docs/bundlers.md says. */
export const bundlers = {
  async esbuild(program: string, folder: string) {
    const js = "import { createRequire } from 'node:module'; const require = createRequire(import.meta.url);"
    for (const format of formats) {
      await build({
        entryPoints: [program],
        bundle: true,
        platform: 'node',
        format,
        outfile: bundleOf(folder, format),
        external: ['pg-native'],
        logLevel: 'error',
        ...(format === 'esm' && { banner: { js } }), // pg is CommonJS, and requires Node's own modules
      })
    }
  },
  async rollup(program: string, folder: string) {
    const made = await rollup({
      input: program,
      external: ['pg-native'],
      plugins: [nodeResolve({ preferBuiltins: true, exportConditions: ['node'] }), commonjs(), json()],
      logLevel: 'silent',
    })
    for (const format of formats) {
      const name = basename(bundleOf(folder, format))
      const extension = name.split('.').at(-1)
      await made.write({ dir: folder, format, entryFileNames: name, chunkFileNames: `[name]-[hash].${extension}` })
    }
    await made.close()
  },
}

export function bundleOf(folder: string, format: Format): string {
  return join(folder, format === 'esm' ? 'bundle.mjs' : 'bundle.cjs')
}

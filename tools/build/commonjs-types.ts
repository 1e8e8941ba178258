import { cpSync, rmSync, statSync, writeFileSync } from 'node:fs'

/**
 * Puts the declarations into dist/commonjs once more, as those of a CommonJS package. What a declaration imports is
 * looked up as its package says: without them a program in CommonJS would meet Kysely's types for ES modules beside its
 * own, and Kysely 0.28 has two sets that don't fit each other. The code is there once: Node requires ES modules.
 */
const target = 'dist/commonjs'
rmSync(target, { recursive: true, force: true })
cpSync('dist/src', target, {
  recursive: true,
  filter: (path) => statSync(path).isDirectory() || path.endsWith('.d.ts'),
})
writeFileSync(`${target}/package.json`, '{ "type": "commonjs" }\n')

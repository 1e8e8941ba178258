import { readFileSync } from 'node:fs'
import { publint } from 'publint'
import { formatMessage } from 'publint/utils'

/**
 * What publint says of a tarball, the argument, without one rule: that what `require` finds must be CommonJS as its
 * declarations are. Ours are ES modules, which Node requires; only a default export would be found elsewhere.
 */
const [path = ''] = process.argv.slice(2)
const { buffer } = new Uint8Array(readFileSync(path))
const { messages, pkg } = await publint({ pack: { tarball: buffer }, strict: true })
const meant = messages.filter(({ code }) => code !== 'EXPORTS_TYPES_INVALID_FORMAT')
for (const message of meant) console.log(formatMessage(message, pkg ?? {}, { color: false }))
process.exitCode = meant.length > 0 ? 1 : 0

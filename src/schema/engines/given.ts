import { shown } from '../shown.js'
import type { Engine } from './engine.js'
import { postgres } from './profiles.js'
import { knownEngines } from './recognize.js'

const sample: Engine = { ...postgres.can, version: '' }
const names = Object.keys(sample)
const triggers: readonly unknown[] = ['statement', 'row', 'none'] satisfies Engine['triggers'][]

/** What is wrong with the value of an option `engine`, as it follows the option's name; undefined: nothing. */
export function engineFlaw(value: unknown): string | undefined {
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    return `: ${shown(value)} is invalid; give what the engine is or lacks, as in { name: 'YugabyteDB' } or { listen: false }`
  for (const [name, each] of Object.entries(value)) {
    const flaw = each === undefined ? undefined : flawOf(name, each)
    if (flaw !== undefined) return flaw
  }
  return undefined
}

function flawOf(name: string, value: unknown): string | undefined {
  if (!names.includes(name)) return `.${name}: nobody asks that of an engine; there are ${names.join(', ')}`
  const remedy = remedyOf(name, value)
  return remedy && `.${name}: ${shown(value)} is invalid; give ${remedy}`
}

function remedyOf(name: string, value: unknown): string | undefined {
  if (name === 'triggers') return triggers.includes(value) ? undefined : "'statement', 'row' or 'none'"
  if (typeof Reflect.get(sample, name) === 'boolean') return typeof value === 'boolean' ? undefined : 'true or false'
  if (typeof value !== 'string' || value === '') return 'a text'
  const known = name === 'name' && knownEngines.find((each) => plain(each) === plain(value))
  return known && known !== value ? `'${known}'` : undefined
}

/** Without what is easily written otherwise. */
const plain = (name: string): string => name.toLowerCase().replaceAll(/[^a-z]/g, '')

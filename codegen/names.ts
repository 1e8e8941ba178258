const defaultSchema = 'public'

/** A table's key in `DB`, as queries name it: plain in `public`, with its schema elsewhere. */
export function keyOf({ schema, name }: { readonly schema: string; readonly name: string }): string {
  return schema === defaultSchema ? name : `${schema}.${name}`
}

/**
 * Gives each key a type name of its own. A table of the previous file keeps the one it has there, and none takes it, nor
 * that of an enum; of others, whoever asks first gets the plain one, so ask in a fixed order.
 */
export class TypeNames {
  readonly #taken: Set<string>
  readonly #kept = new Map<string, string>()
  readonly #unions: Set<string>

  constructor(reserved: readonly string[], previous = '') {
    const [, tables = ''] = /^export interface DB \{\n(.*?)^\}/ms.exec(previous) ?? []
    for (const [, property = '', type = ''] of tables.matchAll(/^ {2}(\S.*): (\S+)$/gm)) {
      if (!reserved.includes(type)) this.#kept.set(property, type)
    }
    this.#taken = new Set([...reserved, ...this.#kept.values()])
    this.#unions = new Set(Array.from(previous.matchAll(/^export type (\S+) =/gm), ([, name = '']) => name))
  }

  /** `send_mail_jobs` → `SendMailJobs`; `SendMailJobs2` where that is taken. */
  takeForTable(key: string): string {
    const kept = this.#kept.get(propertyName(key))
    const isOurs = kept?.startsWith(pascalCase(key)) && /^\d*$/.test(kept.slice(pascalCase(key).length))
    return isOurs && kept !== undefined ? kept : this.#take(key, (name) => !this.#unions.has(name))
  }

  takeForEnum(key: string): string {
    return this.#take(key, () => true)
  }

  #take(key: string, isFree: (name: string) => boolean): string {
    const plain = pascalCase(key)
    let name = plain
    for (let number = 2; this.#taken.has(name) || !isFree(name); number++) name = `${plain}${number}`
    this.#taken.add(name)
    return name
  }
}

/** Kysely reads a name from a text: a dot ends the schema or table, ` as ` the name, and space around is cut off. */
export function isMisread(name: string): boolean {
  return name.includes('.') || name.includes(' as ') || name !== name.trim()
}

/** Why Kysely takes a table's key for another, and what to write; undefined where it does not. */
export function misread({ schema, name }: { readonly schema: string; readonly name: string }): string | undefined {
  if (!isMisread(schema) && !isMisread(name)) return undefined
  const id = [schema, name].map((part) => JSON.stringify(part)).join(', ')
  return `Kysely reads this key as another name: select from sql\`\${sql.id(${id})}\`.as('alias'), or rename the table`
}

/** The name that kysely-codegen gives: what can't stand in an identifier (but for CJK) counts as an underscore. */
function pascalCase(key: string): string {
  const words = key.replaceAll(/[^\w$\u3400-\u4DBF\u4E00-\u9FFF\uF900-\uFAFF]/g, '_')
  const joined = words
    .split('_')
    .map((word) => word.charAt(0).toUpperCase() + word.slice(1))
    .join('')
  return /^(_|\d)/.test(words) ? `_${joined}` : joined
}

/** Orders texts by their code units: the same on every machine, whatever its language. */
export function byCodeUnits(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0
}

/** A property's name in an interface, quoted where it must be. */
export function propertyName(name: string): string {
  return /^[A-Za-z_$][\w$]*$/.test(name) ? name : literal(name)
}

/** A text as a literal in single quotes, or in double ones where that saves an escape. */
export function literal(text: string): string {
  const escaped = JSON.stringify(text)
  if (text.includes("'") && !text.includes('"')) return escaped
  return `'${escaped.slice(1, -1).replaceAll('\\"', '"').replaceAll("'", "\\'")}'`
}

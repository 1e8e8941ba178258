const defaultSchema = 'public'

/** A table's key in `DB`, as queries name it: plain in `public`, with its schema elsewhere. */
export function keyOf({ schema, name }: { readonly schema: string; readonly name: string }): string {
  return schema === defaultSchema ? name : `${schema}.${name}`
}

/** Gives each key a type name of its own; whoever asks first gets the plain one, so ask in a fixed order. */
export class TypeNames {
  readonly #taken: Set<string>

  constructor(reserved: readonly string[]) {
    this.#taken = new Set(reserved)
  }

  /** `send_mail_jobs` → `SendMailJobs`; `SendMailJobs2` where that is taken. */
  take(key: string): string {
    const plain = pascalCase(key)
    let name = plain
    for (let number = 2; this.#taken.has(name); number++) name = `${plain}${number}`
    this.#taken.add(name)
    return name
  }
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

import { literal, propertyName } from './names.js'

/** The widest line we write (our own formatter's). */
const width = 120

/** A property of an interface. */
export interface Property {
  readonly name: string
  readonly type: string
  readonly comment: string | null
}

/** `export interface Users { ... }`, its properties in the order given. */
export function interfaceOf(name: string, properties: readonly Property[], comment: string | null): string {
  const head = `${jsDoc(comment, '')}export interface ${name} {`
  if (properties.length === 0) return `${head}}`
  const lines = properties.map(
    (property) => `${jsDoc(property.comment, '  ')}  ${propertyName(property.name)}: ${property.type}\n`,
  )
  return `${head}\n${lines.join('')}}`
}

/** `export type Mood = 'bad' | 'good'`, its members in the order given. */
export function unionOf(name: string, members: readonly string[]): string {
  const head = `export type ${name} =`
  if (members.length === 0) return `${head} never`
  const literals = members.map(literal)
  const line = `${head} ${literals.join(' | ')}`
  return line.length <= width ? line : `${head}\n${literals.map((each) => `  | ${each}`).join('\n')}`
}

/** A comment of the database's, which may hold anything, also the end of a comment. */
function jsDoc(comment: string | null, indent: string): string {
  if (comment === null || comment.trim() === '') return ''
  const lines = comment
    .trim()
    .replaceAll('*/', '*\\/')
    .split(/\r\n|[\n\r\u2028\u2029]/)
  // On the last line of a comment, `@ts-expect-error` and its like are told to the compiler.
  if (lines.length === 1 && !/^[\s/*]*@ts-/.test(lines[0] ?? '')) return `${indent}/** ${lines[0]} */\n`
  return `${indent}/**\n${lines.map((line) => `${indent} * ${line}`.trimEnd()).join('\n')}\n${indent} */\n`
}

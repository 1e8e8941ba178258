/** A transaction of one statement, whose values come beside it. */
export interface WholeTransaction {
  /** What comes before it. */
  readonly begin: string
  readonly statement: string
  readonly end: string
}

const border = ' /* then */; '
const mark = ' /* kysely-jobs, a whole transaction */'

/**
 * A transaction as one text. Whoever waits for a lock that it takes waits for the server alone, not for what the network and a busy program
 * need between its statements. A client of a guarded pool sends it as one message. To any other it is several statements with values, which
 * the server refuses (42601): whoever sends it knows by that to begin and end the transaction itself.
 */
export const textOfTransaction = ({ begin, statement, end }: WholeTransaction): string =>
  [begin, statement, end].join(border) + mark

/** What such a text says; undefined: it is no such text. */
export function transactionOf(text: string): WholeTransaction | undefined {
  if (!text.endsWith(mark)) return undefined
  const [begin = '', ...rest] = text.slice(0, -mark.length).split(border)
  const end = rest.pop() ?? ''
  return { begin, statement: rest.join(border), end }
}

/** What runs a prepared statement with these values; undefined: one of them has to be sent beside it. */
export function textOfRun(name: string, values: readonly unknown[]): string | undefined {
  const texts = values.map((value) => (Array.isArray(value) ? arrayText(value) : textOf(value)))
  if (texts.includes(undefined)) return undefined
  return `execute "${name}"(${texts.map((text) => literal(text ?? null)).join(', ')})`
}

function textOf(value: unknown): string | null | undefined {
  if (value === null || typeof value === 'string') return value
  return ['number', 'boolean', 'bigint'].includes(typeof value) ? String(value) : undefined
}

/** A list as Postgres reads an array. */
function arrayText(values: readonly unknown[]): string | undefined {
  const texts = values.map(textOf)
  if (texts.includes(undefined)) return undefined
  return `{${texts.map((text) => (text === null ? 'NULL' : `"${text?.replaceAll(/["\\]/g, '\\$&')}"`)).join()}}`
}

const literal = (text: string | null) =>
  text === null ? 'null' : `E'${text.replaceAll('\\', '\\\\').replaceAll("'", "''")}'`

/** A piece of SQL. Words are in lower case, names as they stand in their quotes. */
export interface Token {
  readonly kind: 'word' | 'name' | 'text' | 'number' | 'parameter' | 'symbol'
  readonly text: string
}

/** What stands between brackets. */
export interface Group {
  readonly kind: 'group'
  readonly items: readonly Item[]
}

export type Item = Token | Group

const patterns: readonly [Token['kind'] | 'nothing', RegExp][] = [
  ['nothing', /\s+|--[^\n]*|\/\*[\s\S]*?\*\//y],
  ['text', /(?:[eExXbBnN]|[uU]&)?'(?:[^']|'')*'|\$(\w*)\$[\s\S]*?\$\1\$/y],
  ['name', /"(?:[^"]|"")*"/y],
  ['parameter', /\$\d+/y],
  ['number', /\d+(?:\.\d+)?(?:e[+-]?\d+)?/iy],
  ['word', /[\p{L}_][\p{L}\p{N}_$]*/uy],
  ['symbol', /::|<=|>=|<>|!=|\|\||->>?|[\s\S]/y],
]

/** The pieces of a text, without comments. */
function tokensOf(sql: string): Token[] {
  const tokens: Token[] = []
  for (let at = 0; at < sql.length; ) {
    for (const [kind, pattern] of patterns) {
      pattern.lastIndex = at
      const [text] = pattern.exec(sql) ?? []
      if (text === undefined) continue
      at += text.length
      if (kind !== 'nothing') tokens.push({ kind, text: written(kind, text) })
      break
    }
  }
  return tokens
}

function written(kind: Token['kind'], text: string): string {
  if (kind === 'word') return text.toLowerCase()
  return kind === 'name' ? text.slice(1, -1).replaceAll('""', '"') : text
}

/** The statements of a text, each with its brackets as groups. */
export function statementsOf(sql: string): Item[][] {
  const statements: Item[][] = [[]]
  const open: Item[][] = [statements[0]!]
  for (const token of tokensOf(sql)) {
    const isSymbol = token.kind === 'symbol'
    if (isSymbol && token.text === '(') open.push([])
    else if (isSymbol && token.text === ')' && open.length > 1) {
      const items = open.pop()!
      open.at(-1)!.push({ kind: 'group', items })
    } else if (isSymbol && token.text === ';' && open.length === 1) {
      statements.push([])
      open[0] = statements.at(-1)!
    } else open.at(-1)!.push(token)
  }
  return statements.filter((items) => items.length > 0)
}

export const isWord = (item: Item | undefined, ...words: readonly string[]): boolean =>
  item?.kind === 'word' && words.includes(item.text)

export const isSymbol = (item: Item | undefined, symbol: string): boolean =>
  item?.kind === 'symbol' && item.text === symbol

/** What names something: a table, a column, a function. */
export const nameOf = (item: Item | undefined): string | undefined =>
  item?.kind === 'name' || item?.kind === 'word' ? item.text : undefined

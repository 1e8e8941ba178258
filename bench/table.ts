/** A table as Markdown has it, its columns aligned for the terminal. */
export function table(rows: readonly Record<string, string | number>[]): string {
  const [first] = rows
  if (first === undefined) return '(not measured)'
  const names = Object.keys(first)
  const lines = [names, ...rows.map((row) => names.map((name) => String(row[name])))]
  const widths = names.map((_, column) => Math.max(...lines.map((line) => line[column]?.length ?? 0)))
  const isNumber = names.map((name) => typeof first[name] === 'number')
  const pad = (cell: string, column: number) =>
    isNumber[column] ? cell.padStart(widths[column] ?? 0) : cell.padEnd(widths[column] ?? 0)
  const rule = names.map((_, column) => '-'.repeat(widths[column] ?? 0).replace(/.$/, isNumber[column] ? ':' : '-'))
  const [head, ...body] = lines.map((line) => line.map(pad))
  return [head ?? [], rule, ...body].map((cells) => `| ${cells.join(' | ')} |`).join('\n')
}

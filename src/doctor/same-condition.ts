/**
 * Whether two conditions in SQL are the same, as far as ours go, one of them as Postgres shows it: with casts, more brackets, and lists as arrays.
 */
export function isSameCondition(some: string, other: string): boolean {
  return plain(some) === plain(other)
}

const cast = /::(?:"(?:[^"]|"")*"|[a-z_][\w$]*)(?:\.(?:"(?:[^"]|"")*"|[a-z_][\w$]*))?(?: varying)?(?:\[\])?/gi

function plain(condition: string): string {
  return condition
    .replaceAll(cast, '')
    .replaceAll('pg_catalog.', '')
    .replaceAll(/[()[\]]/g, ' ')
    .toLowerCase()
    .replaceAll(/\s+/g, ' ')
    .replaceAll('<> all array', 'not in')
    .replaceAll('= any array', 'in')
    .replaceAll(/(?<!not )in ('[^']*')(?! ?,)/g, '= $1') // a list of one
    .replaceAll(/ ?, ?/g, ',')
    .trim()
}

/** What a terminal obeys, or what turns the order of a line around: a text of the database may hold it on purpose. */
export const unsafe = /[\p{Cc}\p{Cf}\u2028\u2029]/gu

/** A text on one line, with escapes in place of whatever is no plain character. */
export function safeText(text: string): string {
  return text.replace(unsafe, escaped)
}

/** The same with its own lines. */
export function safeLines(text: string): string {
  return text
    .replaceAll('\r\n', '\n')
    .replace(unsafe, (character) => (character === '\n' ? character : escaped(character)))
}

/** A value as JSON that is safe to look at, too. */
export function jsonText(value: unknown, indent?: number): string {
  return JSON.stringify(value, undefined, indent).replace(unsafe, (character) =>
    character === '\n' ? character : unicode(character),
  )
}

const short: Readonly<Record<string, string>> = { '\n': '\\n', '\r': '\\r', '\t': '\\t' }

const escaped = (character: string): string => short[character] ?? unicode(character)

const unicode = (character: string): string =>
  Array.from(
    { length: character.length },
    (_, n) => `\\u${character.charCodeAt(n).toString(16).padStart(4, '0')}`,
  ).join('')

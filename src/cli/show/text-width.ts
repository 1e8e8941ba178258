/** Characters that take two columns of a terminal: East Asian ones, and emoji. */
const wide =
  /[\u1100-\u115f\u2e80-\u303e\u3041-\ua4cf\ua960-\ua97c\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6]|[\u{1b000}-\u{1b2ff}\u{1f200}-\u{1f2ff}\u{1f300}-\u{1f64f}\u{1f680}-\u{1f6ff}\u{1f900}-\u{1faff}\u{20000}-\u{3fffd}]|\p{Emoji_Presentation}/u

/** How many columns of a terminal a text takes. */
export function widthOf(text: string): number {
  if (/^[\x20-\x7e]*$/.test(text)) return text.length
  return charactersOf(text).reduce((sum, character) => sum + (wide.test(character) ? 2 : 1), 0)
}

/** A text that takes so many columns at most, with `…` where it was cut. */
export function cutTo(text: string, width: number): string {
  if (widthOf(text) <= width) return text
  let taken = ''
  let left = width - 1
  for (const character of charactersOf(text)) {
    left -= widthOf(character)
    if (left < 0) break
    taken += character
  }
  return `${taken}…`
}

/** A text with spaces up to a width, behind it or before it. */
export function padded(text: string, width: number, isRight = false): string {
  const space = ' '.repeat(Math.max(0, width - widthOf(text)))
  return isRight ? space + text : text + space
}

/** Characters as people see them: an accent belongs to its letter. */
const charactersOf = (text: string): string[] =>
  [...new Intl.Segmenter('en', { granularity: 'grapheme' }).segment(text)].map(({ segment }) => segment)

import type { Output } from '../terminal.js'
import { safeText } from './safe-text.js'

/** Writes a line for people, whatever the texts of the database in it hold. */
export function tell(output: Output, text: string): void {
  output.write(`${safeText(text)}\n`)
}

/** Tells what went wrong, on one line and without a password, wherever the text comes from. */
export function complain(output: Output, error: unknown): void {
  const text = error instanceof Error ? error.message : String(error)
  tell(output, `kysely-jobs: ${withoutPassword(text.replaceAll(/\s*[\r\n]+\s*/g, ' '))}`)
}

/** What stands between a user's name and the last @ of a URL, as a password may hold an @ that should have been encoded; or is said to be one. Our own sample has none. */
const password = /(?<=\w:\/\/[^\s:/?#@]*:)(?!password@host)\S+(?=@)|(?<=[?&]password=)[^\s&]+/g

const withoutPassword = (text: string): string => text.replaceAll(password, '***')

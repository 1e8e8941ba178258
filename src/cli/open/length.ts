import { durationIn } from '../../schema/duration.js'
import { OptionError } from '../terminal.js'

/** A length of time as it is given, in milliseconds. @throws OptionError */
export function lengthIn(text: string, option: string): number {
  const length = durationIn(text.trim())
  if (length !== undefined) return length
  throw new OptionError(`${option} ${JSON.stringify(text)} is no length of time: write 500ms, 30s, 5m, 2h, 7d or 1w`)
}

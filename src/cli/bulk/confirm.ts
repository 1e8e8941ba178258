import { createInterface } from 'node:readline/promises'
import { safeText } from '../show/safe-text.js'
import { complain } from '../show/tell.js'
import type { Terminal } from '../terminal.js'

/** What is about to be done. */
export interface Meant {
  readonly table: string
  readonly verb: { readonly name: string; readonly done: string }
  readonly count: number
  /** Else there may be more. */
  readonly isAll: boolean
}

/** Tells how many jobs it is about, and asks who sits at a terminal. Without one, and without `--yes`, the answer is no. */
export async function confirmed(meant: Meant, isSure: boolean, terminal: Terminal): Promise<boolean> {
  if (isSure) return true
  const { table, verb, count, isAll } = meant
  const jobs = `${count.toLocaleString('en')}${isAll ? '' : ' or more'} ${count === 1 && isAll ? 'job' : 'jobs'} of ${table}`
  const { stdin, stderr } = terminal
  if (stdin?.isTTY && stderr.isTTY) {
    const isYes = /^y(es)?$/i.test(await answerTo(`${capital(verb.name)} ${jobs}? [y/N] `, stdin, terminal))
    if (!isYes) stderr.write('Nothing was done.\n')
    return isYes
  }
  complain(stderr, `${jobs} would be ${verb.done}; nothing was done: give --yes to do it`)
  return false
}

async function answerTo(
  question: string,
  input: NonNullable<Terminal['stdin']>,
  { stderr }: Terminal,
): Promise<string> {
  stderr.write(safeText(question))
  const lines = createInterface({ input })
  try {
    for await (const line of lines) return line.trim()
    return '' // the end of the input, by Ctrl-D
  } finally {
    lines.close()
  }
}

const capital = (word: string) => `${word.charAt(0).toUpperCase()}${word.slice(1)}`

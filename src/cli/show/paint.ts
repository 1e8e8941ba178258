import { styleText } from 'node:util'
import type { Output, Terminal } from '../terminal.js'

/** How a text looks in a terminal. */
export interface Paint {
  readonly strong: (text: string) => string
  readonly quiet: (text: string) => string
  readonly bad: (text: string) => string
  readonly warn: (text: string) => string
  readonly good: (text: string) => string
}

const plain = (text: string) => text
const none: Paint = { strong: plain, quiet: plain, bad: plain, warn: plain, good: plain }

const styled: Paint = {
  strong: (text) => styleText('bold', text, { validateStream: false }),
  quiet: (text) => styleText('dim', text, { validateStream: false }),
  bad: (text) => styleText('red', text, { validateStream: false }),
  warn: (text) => styleText('yellow', text, { validateStream: false }),
  good: (text) => styleText('green', text, { validateStream: false }),
}

/** Colours where a person looks who has not forbidden them. */
export function paintFor(output: Output, { env }: Terminal): Paint {
  const isWanted = output.isTTY === true && !env.NO_COLOR && env.TERM !== 'dumb'
  return isWanted ? styled : none
}

import { EventEmitter } from 'node:events'
import { Readable } from 'node:stream'
import { runCommand } from '../../src/cli/command.js'
import { startProgram } from '../support/program.js'

export interface Said {
  readonly code: number
  readonly stdout: string
  readonly stderr: string
}

interface Paper {
  /** What is typed; a terminal, where somebody sits at one. */
  readonly input?: string | Uint8Array
  readonly isTTY?: boolean
  readonly columns?: number
  /** Sends signals. */
  readonly signals?: EventEmitter
  /** Is told what is written. */
  readonly onWrite?: (text: string) => void
}

/** Runs a command line on a terminal of paper. */
export async function run(
  argv: readonly string[],
  env: Record<string, string> = {},
  { input, isTTY = false, columns, signals = new EventEmitter(), onWrite }: Paper = {},
): Promise<Said> {
  const paper = { stdout: '', stderr: '' }
  const written = (stream: 'stdout' | 'stderr') => ({
    isTTY,
    columns,
    write: (text: string) => {
      paper[stream] += text
      onWrite?.(text)
    },
  })
  const stdin = Object.assign(Readable.from(input === undefined ? [] : [Buffer.from(input)], { objectMode: false }), {
    isTTY,
  })
  const code = await runCommand(argv, {
    ...{ stdout: written('stdout'), stderr: written('stderr'), stdin, env },
    on: (name, listener) => signals.on(name, listener),
    off: (name, listener) => signals.off(name, listener),
  })
  return { code, ...paper }
}

const main = new URL('../../dist/src/cli/main.js', import.meta.url).pathname

/** Starts the command as a process of its own, in a folder, on a database. */
export function start(argv: readonly string[], url: string, options: { readonly cwd?: string } = {}) {
  return startProgram([main, ...argv], { ...options, env: { DATABASE_URL: url } })
}

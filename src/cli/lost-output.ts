import type { CliCommand } from './cli-command.js'
import type { Terminal } from './terminal.js'

/** What became of the output. */
export interface Heeded {
  /** Some of it could not be written. */
  readonly isLost: () => boolean
  /** The command is over: an error that comes later is the last word. */
  readonly end: () => void
}

/**
 * Whoever reads us may have seen enough (`| head`): that ends a command that looks, without a word. One that changes something goes on. An
 * output that can't be written, as the disk is full, is told, and the exit code is not 0.
 */
export function heedOutput({ stdout, stderr, exit }: Terminal, command: () => CliCommand | undefined): Heeded {
  let isLost = false
  let isOver = false
  stdout.on?.('error', ({ code }) => {
    const { goesOn = false, broken = 1 } = command() ?? {}
    if (code === 'EPIPE') {
      if (!goesOn) exit?.(0)
      return
    }
    if (!isLost) stderr.write(`kysely-jobs: The output can't be written (${code})\n`)
    isLost = true
    if (isOver || !goesOn) exit?.(broken)
  })
  stderr.on?.('error', () => {}) // there is nobody to tell
  return {
    isLost: () => isLost,
    end: () => {
      isOver = true
    },
  }
}

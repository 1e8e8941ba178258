/** Where a command writes. */
export interface Output {
  write(text: string): unknown
  on?(event: 'error', listener: (error: NodeJS.ErrnoException) => void): unknown
  /** Somebody looks at it, and not a file or another program. */
  readonly isTTY?: boolean | undefined
  /** How many characters a line has there. */
  readonly columns?: number | undefined
}

type Signal = 'SIGINT' | 'SIGTERM'

/** What a command uses of its process; `process` is one. */
export interface Terminal {
  readonly stdout: Output
  readonly stderr: Output
  readonly stdin?: NodeJS.ReadableStream & { readonly isTTY?: boolean | undefined }
  readonly env: Readonly<Record<string, string | undefined>>
  on?(signal: Signal, listener: () => void): unknown
  off?(signal: Signal, listener: () => void): unknown
  exit?(code: number): unknown
}

/** A command line that makes no sense; it is answered with where the usage is. */
export class UsageError extends Error {
  override readonly name = 'UsageError'
  readonly code = 'USAGE'
}

/** A value of an option that can't be meant, or one that is missing: the message is enough of an answer. */
export class OptionError extends Error {
  override readonly name = 'OptionError'
  readonly code = 'USAGE'
}

/** What a command that is stopped by Ctrl-C, or as a service is, listens to; `forget` leaves the next signal to Node, which ends the process. */
export function stopSignal(terminal: Terminal): { readonly signal: AbortSignal; readonly forget: () => void } {
  const stopper = new AbortController()
  const forget = () => {
    terminal.off?.('SIGINT', stop)
    terminal.off?.('SIGTERM', stop)
  }
  const stop = () => {
    forget()
    stopper.abort()
  }
  terminal.on?.('SIGINT', stop)
  terminal.on?.('SIGTERM', stop)
  return { signal: stopper.signal, forget }
}

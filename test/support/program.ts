import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { onTestFinished } from 'vitest'

/** A program of ours that runs as its users run it, on this Node. */
export interface Program {
  readonly process: ChildProcess
  /** Resolves when its output matches. */
  said(pattern: RegExp): Promise<void>
  /** How it ended, and all that it printed. */
  readonly ended: Promise<{ readonly code: number | null; readonly stdout: string; readonly stderr: string }>
}

/** Starts `node <arguments>`; a variable that is undefined is taken out of the environment. */
export function startProgram(
  argv: readonly string[],
  options: { readonly env?: Record<string, string | undefined>; readonly cwd?: string } = {},
): Program {
  const child = spawn(process.execPath, argv, {
    cwd: options.cwd,
    env: { ...process.env, ...options.env },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  onTestFinished(() => void child.kill('SIGKILL'))
  const printed = { stdout: '', stderr: '' }
  child.stdout.on('data', (text) => {
    printed.stdout += text
  })
  child.stderr.on('data', (text) => {
    printed.stderr += text
  })
  const ended = once(child, 'close').then(([code]) => ({ code, ...printed }))
  const said = async (pattern: RegExp) => {
    while (!pattern.test(printed.stdout)) {
      const over = ended.then(() => {
        throw new Error(`It ended without saying ${pattern}:\n${printed.stdout}${printed.stderr}`)
      })
      await Promise.race([once(child.stdout, 'data'), over])
    }
  }
  return { process: child, said, ended }
}

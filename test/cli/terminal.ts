import { runCommand } from '../../src/cli/command.js'

export interface Said {
  readonly code: number
  readonly stdout: string
  readonly stderr: string
}

/** Runs a command line on a terminal of paper. */
export async function run(argv: readonly string[], env: Record<string, string> = {}): Promise<Said> {
  const paper = { stdout: '', stderr: '' }
  const written = (stream: 'stdout' | 'stderr') => ({
    write: (text: string) => {
      paper[stream] += text
    },
  })
  const code = await runCommand(argv, { stdout: written('stdout'), stderr: written('stderr'), env })
  return { code, ...paper }
}

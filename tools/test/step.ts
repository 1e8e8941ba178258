import { spawn } from 'node:child_process'

/** One check: commands run one after the other until one fails; each is a script with arguments, for this Node. */
export interface Step {
  readonly name: string
  readonly commands: readonly (readonly string[])[]
}

/** What a command exits with that could not look: its step is skipped, and its last line says why. */
export const skipped = 77

export interface Outcome {
  readonly step: Step
  readonly result: 'passed' | 'failed' | 'skipped'
  readonly seconds: number
  readonly output: string
}

/** Runs the steps, as many at a time as `lanes`, and tells of each as it ends. */
export async function runSteps(steps: readonly Step[], lanes: number): Promise<Outcome[]> {
  const waiting = [...steps]
  const outcomes: Outcome[] = []
  const lane = async () => {
    for (let step = waiting.shift(); step !== undefined; step = waiting.shift()) {
      const outcome = await runStep(step)
      report(outcome)
      outcomes.push(outcome)
    }
  }
  await Promise.all(Array.from({ length: lanes }, lane))
  return outcomes
}

async function runStep(step: Step): Promise<Outcome> {
  const start = performance.now()
  let output = ''
  let code: number | null = 0
  for (const command of step.commands) {
    if (code !== 0) break
    code = await execute(command, (text) => {
      output += text
    })
  }
  const result = code === 0 ? 'passed' : code === skipped ? 'skipped' : 'failed'
  return { step, result, output, seconds: (performance.now() - start) / 1000 }
}

/** Resolves to the exit code; null for a command that a signal ended, or that could not be started. */
function execute(command: readonly string[], hear: (text: string) => void): Promise<number | null> {
  return new Promise((resolve) => {
    const child = spawn(process.execPath, command, { stdio: ['ignore', 'pipe', 'pipe'] })
    child.stdout.on('data', (data) => hear(String(data)))
    child.stderr.on('data', (data) => hear(String(data)))
    child.once('error', (error) => {
      hear(error.message)
      resolve(null)
    })
    child.once('close', (code) => resolve(code))
  })
}

const words = { passed: 'ok    ', failed: 'FAILED', skipped: 'skip  ' } as const

function report({ step, result, seconds, output }: Outcome): void {
  console.log(`${words[result]}  ${step.name} (${seconds.toFixed(1)} s)`)
  if (result !== 'passed') console.log(indented(output.trim() || 'it printed nothing'))
}

function indented(text: string): string {
  return text.replaceAll(/^/gm, '        ')
}

import { spawn } from 'node:child_process'

/** One check: commands run one after the other until one fails; each is a script with arguments, for this Node. */
export interface Step {
  readonly name: string
  readonly commands: readonly (readonly string[])[]
}

export interface Outcome {
  readonly step: Step
  readonly passed: boolean
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
  let passed = true
  for (const command of step.commands) {
    if (!passed) break
    passed = await execute(command, (text) => {
      output += text
    })
  }
  return { step, passed, output, seconds: (performance.now() - start) / 1000 }
}

function execute(command: readonly string[], hear: (text: string) => void): Promise<boolean> {
  return new Promise((resolve) => {
    const child = spawn(process.execPath, command, { stdio: ['ignore', 'pipe', 'pipe'] })
    child.stdout.on('data', (data) => hear(String(data)))
    child.stderr.on('data', (data) => hear(String(data)))
    child.once('error', (error) => {
      hear(error.message)
      resolve(false)
    })
    child.once('close', (code) => resolve(code === 0))
  })
}

function report({ step, passed, seconds, output }: Outcome): void {
  console.log(`${passed ? 'ok    ' : 'FAILED'}  ${step.name} (${seconds.toFixed(1)} s)`)
  if (!passed) console.log(indented(output.trim() || 'it printed nothing'))
}

function indented(text: string): string {
  return text.replaceAll(/^/gm, '        ')
}

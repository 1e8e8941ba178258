import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { rmSync } from 'node:fs'
import { createInterface } from 'node:readline'
import type { serverAccount } from '../../tools/postgres/account.ts'

interface Started {
  readonly program: string
  readonly argv: readonly string[]
  readonly account: ReturnType<typeof serverAccount>
  /** Its folder, which goes with it. */
  readonly scratch: string
  /** A part of the line on standard error by which it says that it is ready. */
  readonly ready: string
}

/** Starts a server of another project, and waits until it is ready. It ends with this process. @returns what stops it */
export async function startServer({ program, argv, account, scratch, ready }: Started): Promise<() => Promise<void>> {
  const child = spawn(program, argv, { ...account, cwd: scratch, stdio: ['ignore', 'ignore', 'pipe'] })
  const end = () => void child.kill('SIGKILL')
  process.once('exit', end)
  const exited = once(child, 'exit')
  const stop = async () => {
    process.off('exit', end)
    end()
    await exited
    rmSync(scratch, { recursive: true, force: true })
  }
  const log: string[] = []
  for await (const line of createInterface({ input: child.stderr })) {
    log.push(line)
    if (line.includes(ready)) break
  }
  if (log.at(-1)?.includes(ready)) {
    child.stderr.resume() // a full pipe would hold it up
    return stop
  }
  await stop()
  throw new Error(`${program} did not start: ${log.join('\n')}`)
}

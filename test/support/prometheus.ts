import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, rmSync, writeFileSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import { createInterface } from 'node:readline'
import { serverAccount } from '../../tools/postgres/account.ts'
import { freePort, scratchFolder } from '../../tools/postgres/cluster.ts'

/** A Prometheus that scrapes one address. */
export interface Prometheus {
  readonly url: string
  [Symbol.asyncDispose](): Promise<void>
}

const find = (program: string) =>
  (process.env.PATH ?? '')
    .split(delimiter)
    .map((folder) => join(folder, program))
    .find(existsSync)

const program = find('prometheus')

/** Its program that checks and tests rules. */
export const promtool = find('promtool')

/** Why tests of it can not run on this machine; undefined where they can. */
export const withoutPrometheus =
  program === undefined || promtool === undefined
    ? 'skipped: this machine has no Prometheus (Debian: apt-get install prometheus)'
    : undefined

/** Starts one on a free port of 127.0.0.1. It scrapes `/metrics` of the other port, five times a second. */
export async function startPrometheus(port: number): Promise<Prometheus> {
  if (program === undefined) throw new Error(withoutPrometheus)
  const account = serverAccount()
  const scratch = scratchFolder(account)
  const url = `http://127.0.0.1:${await freePort()}`
  const file = join(scratch, 'prometheus.yml')
  writeFileSync(
    file,
    `global: { scrape_interval: 200ms, scrape_timeout: 200ms }
scrape_configs: [{ job_name: jobs, static_configs: [{ targets: ['127.0.0.1:${port}'] }] }]`,
  )
  const options = [
    `--config.file=${file}`,
    `--storage.tsdb.path=${join(scratch, 'data')}`,
    `--web.listen-address=${new URL(url).host}`,
  ]
  const child = spawn(program, options, { ...account, cwd: scratch, stdio: ['ignore', 'ignore', 'pipe'] })
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
    if (line.includes('Server is ready')) break
  }
  if (log.at(-1)?.includes('Server is ready')) {
    child.stderr.resume() // a full pipe would hold it up
    return { url, [Symbol.asyncDispose]: stop }
  }
  await stop()
  throw new Error(`Prometheus did not start: ${log.join('\n')}`)
}

/** What a query gives now: each series' labels and value. */
export async function ask(
  prometheus: Prometheus,
  query: string,
): Promise<{ metric: object; value: [number, string] }[]> {
  const response = await fetch(`${prometheus.url}/api/v1/query?${new URLSearchParams({ query })}`)
  const answer = (await response.json()) as { status: string; error?: string; data: { result: [] } }
  if (answer.status !== 'success') throw new Error(`${query}: ${answer.error}`)
  return answer.data.result
}

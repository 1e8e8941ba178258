import { existsSync, writeFileSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import { serverAccount } from '../../tools/postgres/account.ts'
import { freePort, scratchFolder } from '../../tools/postgres/cluster.ts'
import { startServer } from './started-server.js'

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
  const argv = [
    `--config.file=${file}`,
    `--storage.tsdb.path=${join(scratch, 'data')}`,
    `--web.listen-address=${new URL(url).host}`,
  ]
  const stop = await startServer({ program, argv, account, scratch, ready: 'Server is ready' })
  return { url, [Symbol.asyncDispose]: stop }
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

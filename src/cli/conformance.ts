import pg from 'pg'
import { conform } from '../conformance/conform.js'
import type { Promised } from '../conformance/promised.js'
import { promises } from '../conformance/promises/all.js'
import { nearest } from '../observe/nearest.js'
import { connectionError } from '../pg/connection-error.js'
import { guardPool } from '../pg/guard-pool.js'
import { conformanceJson, conformanceText } from './conformance-text.js'
import { clientOf } from './database-url.js'
import { readConfig } from './open/config.js'
import { paintFor } from './show/paint.js'
import { complain } from './show/tell.js'
import { OptionError, stopSignal, type Terminal } from './terminal.js'

interface ConformanceOptions {
  readonly url?: string | undefined
  readonly config?: string | undefined
  readonly only?: readonly string[] | undefined
  readonly listen?: string | undefined
  readonly 'distributed-by'?: string | undefined
  readonly json?: boolean | undefined
}

/** `kysely-jobs conformance`: tries the promises, and prints what became of them. */
export async function conformance(options: ConformanceOptions, terminal: Terminal): Promise<0 | 1> {
  const chosen = chosenPromises(options.only)
  const { listen, json = false, 'distributed-by': distributeBy } = options
  if (listen !== undefined) clientOf(listen) // refuses what is no URL, without showing it
  const config = await readConfig(options.config)
  const url = options.url ?? (terminal.env.DATABASE_URL || config.url)
  const target = clientOf(url)
  const pool = (max: number, name: string) =>
    guardPool(new pg.Pool({ connectionString: url, max, application_name: name }), { connect: '10s', query: '30s' })
  const stop = stopSignal(terminal)
  try {
    const way = { pool, listen: listen ?? String(url), distributeBy, promises: chosen, signal: stop.signal }
    const found = await conform(way).catch((error: unknown) => {
      throw connectionError(error, target)
    })
    const paint = paintFor(terminal.stdout, terminal)
    terminal.stdout.write(json ? conformanceJson(found) : conformanceText(found, paint))
    for (const { schema, reason } of found.left)
      complain(terminal.stderr, `The schema ${schema} is left (${reason}): drop schema ${schema} cascade`)
    const isLeft = found.left.length > 0
    if (found.isStopped) complain(terminal.stderr, isLeft ? 'stopped' : 'stopped; nothing is left behind')
    return found.isStopped || isLeft || found.judged.some(({ verdict }) => verdict === 'broken') ? 1 : 0
  } finally {
    stop.forget()
  }
}

/** @throws OptionError where there is none of this name */
function chosenPromises(only: readonly string[] | undefined): readonly Promised[] {
  if (only === undefined) return promises
  const names = promises.map(({ name }) => name)
  const unknown = only.find((name) => !names.includes(name))
  if (unknown === undefined) return promises.filter(({ name }) => only.includes(name))
  const near = nearest(unknown, names)
  const remedy = near === undefined ? `there are ${names.join(', ')}` : `did you mean ${near}?`
  throw new OptionError(`--only ${JSON.stringify(unknown)}: there is no such promise; ${remedy}`)
}

import pg from 'pg'

const later = `set_config('synchronous_commit', 'off', true)) = 'off'`
const atOnce = `set_config('synchronous_commit', 'on', true)) = 'on'`

/** Sends what a worker sends, but that claims, renewals and rescues wait for the disk as all else does. */
export class SynchronousClient extends pg.Client {
  override query(...[query, ...others]: unknown[]): never {
    return Reflect.apply(super.query, this, [waiting(query), ...others]) as never // all overloads pass through
  }
}

/** A statement as node-postgres takes it: its text, or an object that has it. */
function waiting(query: unknown): unknown {
  if (typeof query === 'string') return waitingText(query)
  if (typeof query !== 'object' || query === null || !('text' in query) || typeof query.text !== 'string') return query
  return { ...query, text: waitingText(query.text) }
}

function waitingText(text: string): string {
  if (text.includes('synchronous_commit') && !text.includes(later)) throw new Error(`Commits in a way unknown: ${text}`)
  return text.replaceAll(later, atOnce)
}

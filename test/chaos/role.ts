import { randomBytes } from 'node:crypto'
import { sql } from 'kysely'
import type { Arena } from './arena.ts'

/** A role that is no superuser, and may work in an arena. */
export interface Role {
  readonly name: string
  readonly url: string
}

/** Makes one for as long as it is played with. */
export async function withRole<Value>(arena: Arena, play: (role: Role) => Promise<Value>): Promise<Value> {
  const name = `worker_${randomBytes(6).toString('hex')}`
  const run = (statement: string) => sql.raw(statement).execute(arena.db)
  await run(`create role ${name} login password '${name}'`)
  await run(`grant all on all tables in schema public to ${name}`)
  const url = new URL(arena.directUrl)
  url.username = name
  url.password = name
  try {
    return await play({ name, url: url.href })
  } finally {
    await arena.crew.end()
    await run(`drop owned by ${name}`)
    await run(`drop role ${name}`)
  }
}

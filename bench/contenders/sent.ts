import {
  type CompiledQuery,
  DummyDriver,
  Kysely,
  PostgresAdapter,
  PostgresIntrospector,
  PostgresQueryCompiler,
} from 'kysely'
import type { DB } from './kysely-jobs.ts'

/** The statements that something sends, taken from a database that is none and never answers with a row. */
export async function sentBy(send: (db: Kysely<DB>) => Promise<unknown>): Promise<readonly CompiledQuery[]> {
  const sent: CompiledQuery[] = []
  const db = new Kysely<DB>({
    dialect: {
      createAdapter: () => new PostgresAdapter(),
      createDriver: () => new DummyDriver(),
      createIntrospector: (kysely) => new PostgresIntrospector(kysely),
      createQueryCompiler: () => new PostgresQueryCompiler(),
    },
    log: ({ query }) => void sent.push(query),
  })
  await send(db)
  return sent
}

/** Stands for a job's id in a statement that is taken. */
export const someId = ''

/** A statement's parameters, with these ids in the place of {@link someId}. */
export function withIds({ parameters }: CompiledQuery, ids: readonly string[]): unknown[] {
  return parameters.map((value) => (Array.isArray(value) && value[0] === someId ? ids : value))
}

import { sql } from 'kysely'
import { expect, test } from 'vitest'
import { ask } from '../../src/worker/ask.js'
import { createTestDatabase, testDatabase } from '../support/database.js'

const { db } = await testDatabase()

test('what can not be built or is refused is told as it is, at once', async () => {
  const unbuilt = ask(db, 60_000, 'a statement', () => {
    throw new TypeError('no such column')
  })
  await expect(unbuilt).rejects.toThrow(new TypeError('no such column'))
  const refused = ask(db, 60_000, 'a statement', (connection) => sql`select 1 / 0`.execute(connection))
  await expect(refused).rejects.toMatchObject({ code: '22012' })
})

test('who waits for a connection longest is next, and who gave up is not asked for', async () => {
  const order: string[] = []
  const say = (what: string) => () => Promise.resolve(order.push(what))
  await using alone = await createTestDatabase({ pool: { max: 1 } })
  const first = Promise.withResolvers<void>()
  const holding = alone.db.connection().execute(() => first.promise)
  const gone = ask(alone.db, 1, 'gone', say('gone'))
  await expect(gone).rejects.toMatchObject({ code: 'NO_CONNECTION' })
  const others = ['second', 'third'].map((what) => ask(alone.db, 60_000, what, say(what)))
  first.resolve()
  await Promise.all([holding, ...others])
  expect(order).toEqual(['second', 'third'])
})

import { sql } from 'kysely'
import { expect, test } from 'vitest'
import { examine } from '../../src/doctor/examine.js'
import { everyVerb } from '../compat/every-verb.js'
import { testDatabase } from '../support/database.js'
import { allShapes, createPartitioned } from './shapes.js'

const { db } = await testDatabase()

/** Whose jobs may be unique by the tenant: the index must have the columns of the partitions. */
const ofTenants = ['by_tenant']

test.each(allShapes)('%s is served by every verb and a worker, and the doctor finds nothing in it', async (shape) => {
  await createPartitioned(db, shape)
  expect(await examine(db, { tables: [shape] })).toEqual([])
  await everyVerb(db, shape, (n) => ({ [ofTenants.includes(shape) ? 'tenant' : 'note']: `t${n}` }), {
    isUnique: ofTenants.includes(shape),
  })
  const { rows } = await sql`select from ${sql.table(shape)}`.execute(db)
  expect(rows).toEqual([])
})

/** A worker process of one queue: node worker-process.ts <settings as JSON>. It is told to end by SIGTERM. */

import { Kysely, PostgresDialect } from 'kysely'
import pg from 'pg'
import type { WitnessDatabase } from '../../test/chaos/tables.ts'
import { Witness } from '../../test/chaos/witness.ts'
import { acts } from './acts.ts'
import type { WorkSettings } from './peer.ts'
import { peers } from './peers.ts'

const settings: WorkSettings = JSON.parse(process.argv[2] ?? '')
const alone = () => process.exit(1)
process.once('disconnect', alone) // whoever started it is gone
const pool = new pg.Pool({ connectionString: settings.witness, max: 4 })
const db = new Kysely<WitnessDatabase>({ dialect: new PostgresDialect({ pool }) })
const witness = new Witness(db)
await peers[settings.peer].work(
  settings,
  (attempt) =>
    witness.watch(attempt.payload.key, attempt.number, attempt.signal, async () => {
      await acts[attempt.payload.act](attempt)
    }),
  () => process.send?.({ event: 'started', facts: {} }),
)
await witness.told()
await db.destroy()
process.off('disconnect', alone)
process.disconnect()

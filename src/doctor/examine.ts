import type { Kysely } from 'kysely'
import { jobTables } from '../observe/job-tables.js'
import { readPauses } from '../queue/pauses.js'
import { identifyTable } from '../schema/identify.js'
import type { Queryable } from '../schema/job-table.js'
import type { TableName } from '../schema/names.js'
import {
  findSideTable,
  historyTable,
  limitsTable,
  pausesTable,
  runnersTable,
  SideTableError,
  schedulesTable,
} from '../schema/side-table.js'
import type { ListenSource } from '../watch/listener.js'
import { archiveChecks } from './checks/archive.js'
import { columnChecks } from './checks/columns.js'
import { distributionChecks } from './checks/distribution.js'
import { horizonChecks } from './checks/horizon.js'
import { indexChecks } from './checks/indexes.js'
import { pendingChecks } from './checks/pending-rows.js'
import { privilegeChecks } from './checks/privileges.js'
import { rowChecks } from './checks/rows.js'
import { runningChecks } from './checks/running-rows.js'
import { serverChecks } from './checks/server.js'
import { sideTableChecks } from './checks/side-tables.js'
import { storageChecks } from './checks/storage.js'
import { triggerChecks } from './checks/triggers.js'
import { countIn, readArchive } from './facts/archive-facts.js'
import { hear } from './facts/hearing.js'
import { readPooling } from './facts/pooling.js'
import { readRows } from './facts/row-facts.js'
import { type AliveWorkers, readWorkers } from './facts/runner-facts.js'
import { readServer, type ServerFacts } from './facts/server-facts.js'
import { readTable, type TableFacts } from './facts/table-facts.js'
import { type Finding, finding, findings } from './finding.js'
import { type Limits, limits as usual } from './limits.js'
import { type Examined, readOr } from './read.js'

/** Options of {@link examine}. */
export interface ExamineOptions {
  /** The job tables to examine. Default: all of the database. */
  readonly tables?: readonly string[] | undefined
  /** Where workers listen, as their option of that name: it is proven that what is notified is heard there. Default: that is not asked. */
  readonly listen?: ListenSource | undefined
  /** Whether to find out if there is a pooler, which takes two connections at once. Default true. */
  readonly pooling?: boolean | undefined
}

/** A handle in whose transaction nothing can be examined. */
export class ExamineError extends Error {
  override readonly name = 'ExamineError'
  readonly code = 'IN_TRANSACTION'
}

/**
 * Examines job tables and their server: whatever is not as it should be, why it matters, and what mends it. It writes nothing, and reads
 * no table as a whole: some 10,000 rows of each kind at most, by indexes.
 *
 * @example const findings = await examine(db, { tables: ['send_mail_jobs'] })
 * @throws ExamineError in a transaction; NoSuchTableError
 */
export async function examine<DB>(
  db: Queryable<DB>,
  { tables, listen, pooling = true }: ExamineOptions = {},
  limits: Limits = usual,
): Promise<Finding[]> {
  if (db.isTransaction) {
    throw new ExamineError('examine: the handle is a transaction; give the Kysely that it was begun by')
  }
  const handle = db as unknown as Kysely<unknown> // a Kysely that is no transaction, whatever its tables are
  const plain = handle.withoutPlugins()
  const notes: Finding[] = []
  const server = await ofServer(plain, { listen, pooling }, limits, notes)
  const found = [...server.found]
  if (found.some(({ code }) => code === 'statement-pooler')) return found
  const named = tables && (await Promise.all(tables.map((table) => identifyTable(db, table))))
  const all = named ?? (await jobTables(plain)).map(({ schema, name }) => ({ schema, name }))
  if (all.length === 0) found.push(noJobTable())
  const workers = await readOr(notes, 'Which workers are alive', () => readWorkers(handle))
  for (const table of all) found.push(...(await ofTable(handle, table, { ...server.facts, workers }, notes)))
  found.push(...(await ofSideTables(handle, server.facts.role, notes)))
  return [...found, ...notes]
}

function noJobTable(): Finding {
  return finding('no-job-table', {
    what: 'This database has no job table.',
    why: 'There is nothing to work.',
    remedy: 'Run your migrations (createJobTable), or check that the URL names the right database.',
  })
}

type Asked = Pick<ExamineOptions, 'listen' | 'pooling'>

async function ofServer(db: Examined, { listen, pooling }: Asked, limits: Limits, notes: Finding[]) {
  const asked = Date.now()
  const server = await readServer(db)
  const answered = Date.now()
  // The server's clock was read between the two: only what lies outside of them is a difference.
  const behind = Math.max(0, server.clock - answered)
  const ahead = behind > 0 ? -behind : Math.max(0, asked - server.clock)
  const facts = {
    server,
    limits,
    ahead: ahead / 1000,
    pooling: pooling
      ? await readOr(notes, 'Whether there is a pooler', () => readPooling(db, limits.patience))
      : undefined,
    hearing: listen === undefined ? undefined : await hear(db, listen, limits.patience),
  }
  return { facts: server, found: [...findings(serverChecks, facts), ...findings(horizonChecks, facts)] }
}

const tableChecks = [
  ...[...columnChecks, ...indexChecks, ...distributionChecks],
  ...[...triggerChecks, ...storageChecks, ...privilegeChecks],
]

/** What is the same for all tables. */
interface Around extends Pick<ServerFacts, 'version' | 'role'> {
  readonly workers: AliveWorkers | undefined
}

async function ofTable(handle: Examined, table: TableName, around: Around, notes: Finding[]): Promise<Finding[]> {
  const db = handle.withoutPlugins()
  const facts = await readOr(notes, 'The catalog', () => readTable(db, table, around), table)
  if (facts === undefined) return [] // it was dropped meanwhile
  const found = findings(tableChecks, facts)
  if (found.some(({ code }) => code === 'not-a-job-table')) return found
  return [...found, ...(await ofRows(handle, facts, around, notes)), ...(await ofArchive(db, facts, notes))]
}

async function ofRows(handle: Examined, facts: TableFacts, { workers }: Around, notes: Finding[]): Promise<Finding[]> {
  const { table } = facts
  const rows = await readOr(notes, 'The rows', () => readRows(handle.withoutPlugins(), facts), table)
  if (rows === undefined) return []
  const isPaused = await readOr(notes, 'What is paused', () => isAnyPaused(handle, table), table)
  return findings([...rowChecks, ...runningChecks, ...pendingChecks], {
    ...rows,
    table,
    isPaused: isPaused ?? false,
    workers: workers?.(table),
  })
}

/** A table of pauses that can't be read is a finding of its own. */
async function isAnyPaused(handle: Examined, table: TableName): Promise<boolean> {
  try {
    const read = await readPauses(handle, table)
    return read !== undefined && read.pauses.length > 0
  } catch (error) {
    if (error instanceof SideTableError) return false
    throw error
  }
}

async function ofArchive(db: Examined, facts: TableFacts, notes: Finding[]): Promise<Finding[]> {
  const { table, role, placement } = facts
  const archive = await readOr(notes, 'The archive', () => readArchive(db, facts), table)
  if (archive === undefined) return []
  const { rest } = archive
  const count = () => (rest === null ? Promise.resolve(0) : countIn(db, rest))
  const misplaced = await readOr(notes, 'The default partition of the archive', count, table)
  return findings(archiveChecks, { ...archive, misplaced, role, placement })
}

const sideTables = [schedulesTable, limitsTable, pausesTable, runnersTable, historyTable]

async function ofSideTables(handle: Examined, role: string, notes: Finding[]): Promise<Finding[]> {
  const found: Finding[] = []
  for (const side of sideTables) {
    const beside = await readOr(notes, `The table ${side.name}`, () => findSideTable(handle, side))
    if (beside !== undefined) found.push(...findings(sideTableChecks, { side, found: beside, role }))
  }
  return found
}

import { storageSettings } from '../../migrate/job-storage.js'
import { quotedName } from '../../schema/names.js'
import type { Part, TableFacts } from '../facts/table-facts.js'
import { callOf, counted, figure, listed, period, shown, size } from '../figures.js'
import { type Check, finding } from '../finding.js'

const settingOf = ({ options }: Part, name: string) =>
  options?.find((each) => each.startsWith(`${name}=`))?.slice(name.length + 1)

const isOff = (part: Part) => /^(?:off|false|no|0|f|n)/i.test(settingOf(part, 'autovacuum_enabled') ?? 'on')

const off: Check<TableFacts> = ({ table, parts }) => {
  const found = parts.filter(isOff)
  if (found.length === 0) return undefined
  return finding(
    'autovacuum-off',
    {
      what: `autovacuum is off for ${listed(found.map(shown))}.`,
      why: 'Each job leaves dead rows behind; without vacuum the table grows, and claims read ever more of what is dead.',
      remedy: 'Turn it on.',
      sql: found.map((part) => `alter table ${quotedName(part)} reset (autovacuum_enabled)`),
    },
    table,
  )
}

/** A value that somebody chose is theirs; what is not set at all was forgotten. */
const lackingSettings = (part: Part) =>
  Object.entries(storageSettings).filter(([name]) => settingOf(part, name) === undefined)

const settings: Check<TableFacts> = ({ table, parts, engine }) => {
  const found = engine.heap ? parts.filter((part) => lackingSettings(part).length > 0) : []
  if (found.length === 0) return undefined
  const names = new Set(found.flatMap((part) => lackingSettings(part).map(([name]) => name)))
  return finding(
    'storage-settings',
    {
      what: `${listed(found.map(shown))} has no setting of its own for ${listed([...names])}.`,
      why: 'Heartbeats find no room on their page and write to every index; vacuum comes later the more rows there are.',
      remedy: 'Set them. The room is kept from then on on pages that are written.',
      sql: found.map((part) => {
        const list = lackingSettings(part).map(([name, value]) => `${name} = ${value}`)
        return `alter table ${quotedName(part)} set (${list.join(', ')})`
      }),
      migration: callOf('setJobStorage', table),
    },
    table,
  )
}

const manyDead = 100_000
const longUnvacuumed = 600

const dead: Check<TableFacts> = ({ table, parts }) => {
  const found = parts.filter(
    ({ dead: count, live, vacuumed, isVacuuming, shards = 1 }) =>
      count >= manyDead * shards &&
      count > live / 2 &&
      !isVacuuming &&
      (vacuumed ?? Number.POSITIVE_INFINITY) >= longUnvacuumed,
  )
  if (found.length === 0) return undefined
  const each = found.map(({ dead: count, live, vacuumed, ...name }) => {
    const last = vacuumed === null ? 'never vacuumed' : `last vacuumed ${period(vacuumed)} ago`
    return `${shown(name)} has ${figure(count)} dead rows beside ${figure(live)}, and was ${last}`
  })
  return finding(
    'dead-rows',
    {
      what: `${each.join('; ')}.`,
      why: 'Claims read over what is dead, and the table grows.',
      remedy:
        'Vacuum it; where that takes nothing away, somebody holds it back (a long transaction, a slot, a standby).',
      sql: found.map((part) => `vacuum (analyze) ${quotedName(part)}`),
    },
    table,
  )
}

/** Sizes (bytes) below which nobody cares, and how often larger a table is than what is in it. */
const largeEnough = 64 * 2 ** 20
const timesTooLarge = 8
const rowHeader = 28

const bloat: Check<TableFacts> = ({ table, parts }) => {
  const needed = ({ rows, width }: Part) => rows * ((width ?? 0) + rowHeader)
  const found = parts.filter(
    (part) =>
      part.rows >= 0 &&
      (part.width !== null || part.rows === 0) &&
      part.bytes >= largeEnough &&
      part.bytes > timesTooLarge * needed(part),
  )
  if (found.length === 0) return undefined
  const each = found.map(
    (part) => `${shown(part)} takes ${size(part.bytes)} for ${counted(part.rows, 'row')} of some ${size(needed(part))}`,
  )
  return finding(
    'bloat',
    {
      what: `${each.join('; ')}, by the statistics.`,
      why: 'Whatever reads the whole table (counts, backups, vacuum itself) reads that much.',
      remedy: `Where it does not fill again by itself: pg_repack, which needs no downtime, or VACUUM FULL, which stops its workers while it runs.`,
    },
    table,
  )
}

/** Of how the table is stored. */
export const storageChecks = [off, settings, dead, bloat]

import { quoted, quotedName } from '../../schema/names.js'
import type { TableFacts } from '../facts/table-facts.js'
import { listed, shown } from '../figures.js'
import { type Check, finding } from '../finding.js'

/** What a role that does the work of one person at least would have been granted, as SQL; empty where it has that. */
function forgotten(facts: TableFacts): string[] {
  const { table, catalog, role, unread, unwritten, mayInsert, sequences } = facts
  const [on, to] = [`on ${quotedName(table)}`, `to ${quoted(role)}`]
  const isUnreadable = unread.length === catalog.columns.length
  const isPartlyWritten = unwritten.length > 0 && unwritten.some((name) => needed.has(name)) && mayWriteSome(facts)
  return [
    ...(facts.mayUseSchema ? [] : [`grant usage on schema ${quoted(table.schema)} ${to}`]),
    ...(isUnreadable ? [`grant select ${on} ${to}`] : []),
    ...(isPartlyWritten ? [`grant update (${unwritten.map(quoted).join(', ')}) ${on} ${to}`] : []),
    ...(mayInsert && sequences.length > 0 ? [`grant usage on sequence ${sequences.join(', ')} ${to}`] : []),
  ]
}

/** Without one of these no job is claimed or ended. */
const needed = new Set(['status', 'attempts_count', 'locked_at', 'locked_by', 'run_at', 'last_error', 'updated_at'])

const mayWriteSome = ({ unwritten }: TableFacts) => [...needed].some((name) => !unwritten.includes(name))

const lacking: Check<TableFacts> = (facts) => {
  const statements = forgotten(facts)
  if (statements.length === 0) return undefined
  return finding(
    'no-privilege',
    {
      what: `The role ${facts.role} may use ${shown(facts.table)} only in part, so that it can do no work there: it lacks ${listed(statements.map((each) => each.replace(/^grant (.*) to .*$/s, '$1')))}.`,
      why: 'Its statements are refused ("permission denied").',
      remedy: 'Let the owner of the table grant it; docs/security.md has what each kind of role needs.',
      sql: statements,
    },
    facts.table,
  )
}

const few: Check<TableFacts> = (facts) => {
  const { table, catalog, role, unread, mayInsert } = facts
  if (forgotten(facts).length > 0) return undefined
  const may = [
    !mayInsert && 'enqueue (INSERT)',
    unread.length > 0 && `read ${listed(unread)}`,
    !mayWriteSome(facts) && 'claim or end jobs (UPDATE)',
    !catalog.mayDelete && 'prune, delete or archive (DELETE)',
  ].filter((each) => each !== false)
  if (may.length === 0) return undefined
  return finding(
    'few-privileges',
    {
      what: `The role ${role} may not, in ${shown(table)}: ${may.join('; ')}.`,
      why: 'That is as it should be where the role has other work to do.',
      remedy: 'Where it has not: docs/security.md has what each kind of role needs.',
    },
    table,
  )
}

const secured: Check<TableFacts> = ({ table, role, isSecured }) =>
  isSecured
    ? finding(
        'row-level-security',
        {
          what: `Row-level security of ${shown(table)} holds for the role ${role}.`,
          why: 'Jobs that a policy hides wait for a worker that sees them, and what is said of rows here is of those that this role sees.',
          remedy: 'For workers of all jobs take a role with BYPASSRLS, and examine as that.',
        },
        table,
      )
    : undefined

/** Of what this role may do with a table. */
export const privilegeChecks = [lacking, few, secured]

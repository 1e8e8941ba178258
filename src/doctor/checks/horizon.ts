import { quoted } from '../../schema/names.js'
import type { Holder, ServerFacts, Session } from '../facts/server-facts.js'
import { counted, figure, literal, period } from '../figures.js'
import { type Check, type Finding, finding } from '../finding.js'
import type { Surroundings } from './server.js'

const why = 'What is dead since it began is not vacuumed away: claims read more and more of it, and tables grow.'

/** Just this transaction: the process may have another by the time it is called. */
const terminate = ({ pid, began }: Session) =>
  `select pg_terminate_backend(pid) from pg_stat_activity where pid = ${pid} and xact_start = ${literal(began)}`

const who = ({ pid, application, user }: Session) =>
  `process ${pid}${application && ` (${application})`}${user && ` of ${user}`}`

const sessions: Check<Surroundings> = ({ server, limits }) =>
  server.sessions.flatMap((session): Finding[] => {
    if (session.isIdle && session.since >= limits.idleTransaction) {
      const what = `A transaction of ${who(session)} has been open for ${period(session.age)}, and done nothing for ${period(session.since)}.`
      const remedy =
        'Find out why that program does not end it; idle_in_transaction_session_timeout ends such by itself.'
      return [finding('idle-transaction', { what, why, remedy, sql: [terminate(session)] })]
    }
    if (session.isIdle || session.age < limits.longTransaction) return []
    const what = `A transaction of ${who(session)} has been at work for ${period(session.age)}.`
    const remedy = `Wait for it, or end it: select pg_cancel_backend(${session.pid}). Long reports belong on a standby.`
    return [finding('long-transaction', { what, why, remedy })]
  })

const prepared: Check<Surroundings> = ({ server, limits }) =>
  server.prepared
    .filter(({ age }) => age >= limits.prepared)
    .map(({ name, owner, age }) =>
      finding('prepared-transaction', {
        what: `The prepared transaction ${literal(name)} of ${owner} has waited for ${period(age)}.`,
        why,
        remedy: `Have its coordinator end it, or end it by hand: commit prepared ${literal(name)}, or rollback prepared.`,
      }),
    )

const isBehind = ({ heldBack }: Surroundings['limits'], { transactions }: Holder) => transactions >= heldBack

const slots: Check<Surroundings> = ({ server, limits }) =>
  server.slots
    .filter((slot) => isBehind(limits, slot))
    .map(({ name, isActive, transactions }) =>
      finding('slot-holds-back', {
        what: `The replication slot ${literal(name)}, which is ${isActive ? 'in use' : 'not in use'}, keeps what ${counted(transactions, 'transaction')} ago was visible.`,
        why,
        remedy: isActive
          ? 'Look for a long query on its standby, or turn hot_standby_feedback off there.'
          : `Where its standby is gone for good: select pg_drop_replication_slot(${literal(name)}).`,
      }),
    )

const standbys: Check<Surroundings> = ({ server, limits }) =>
  server.standbys
    .filter((each) => isBehind(limits, each))
    .map(({ name, transactions }) =>
      finding('standby-holds-back', {
        what: `The standby ${literal(name)} keeps what ${counted(transactions, 'transaction')} ago was visible, by hot_standby_feedback.`,
        why,
        remedy: 'End the long query on it, or bound such there by statement_timeout.',
      }),
    )

const hidden: Check<Surroundings> = ({ server }) => (server.hidden === 0 ? undefined : hiddenFrom(server))

function hiddenFrom({ hidden: count, role }: ServerFacts): Finding {
  return finding('not-examined', {
    what: `What ${figure(count)} sessions of other roles do is hidden from the role ${role}.`,
    why: 'A long transaction among them is not told.',
    remedy: 'Examine as a role that may read the statistics.',
    sql: [`grant pg_read_all_stats to ${quoted(role)}`],
  })
}

/** Of whoever keeps vacuum from taking away what is dead. */
export const horizonChecks = [sessions, prepared, slots, standbys, hidden]

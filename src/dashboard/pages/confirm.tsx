import type { Matching } from '../../observe/count-matching.js'
import { filterText } from '../../observe/filter-text.js'
import type { Verb } from '../actions/verbs.js'
import { type ListQuery, listAddress } from '../list-query.js'
import { Head } from '../parts/head.js'
import { kindText } from '../parts/kind-text.js'
import { Flaw } from '../parts/notice.js'
import type { Page, Visit } from '../parts/page.js'
import { stateLabels } from '../parts/states.js'
import type { SeenTable } from '../seen-table.js'
import { address } from '../site.js'
import { type Typed, typedIn } from '../typed.js'

/** A bulk action that was asked for. */
export interface Meant {
  readonly seen: SeenTable
  readonly list: ListQuery
  readonly verb: Verb
  /** Undefined: all that the list is of. */
  readonly ids: readonly string[] | undefined
  readonly count: Matching
  /** Where the list is of one kind of error: that of one of the jobs. */
  readonly error?: string | undefined
}

/** What a bulk action would do, before it does it. */
export function confirmPage(visit: Visit, meant: Meant, typed?: Typed): Page {
  const { seen, list, verb, ids, count } = meant
  const { name, title } = seen.listed
  const back = address(visit.site, ['tables', name], listAddress(list))
  const jobs = `${count.count.toLocaleString('en')}${count.isAll ? '' : ' or more'} ${count.count === 1 ? 'job' : 'jobs'}`
  const main = (
    <>
      <Head title={`${verb.label}: ${jobs}`} crumbs={[{ text: title, href: back }]} />
      <section class="sheet padded stack">
        <p>
          <strong>{jobs}</strong> of {title} would {verb.what}.
        </p>
        <dl class="facts">
          <dt>Which</dt>
          <dd>{ids === undefined ? <MatchingText list={list} error={meant.error} /> : <Ids of={ids} />}</dd>
          <dt>Left alone</dt>
          <dd>{leftText(verb)}</dd>
        </dl>
        <Sure visit={visit} meant={meant} jobs={jobs} back={back} typed={typed} />
      </section>
    </>
  )
  return { title: verb.label, main, live: false, ...(typed !== undefined && { status: 422 }) }
}

interface SureOf {
  readonly visit: Visit
  readonly meant: Meant
  readonly jobs: string
  readonly back: string
  readonly typed: Typed | undefined
}

function Sure({ visit: { site }, meant: { seen, list, verb, ids }, jobs, back, typed }: SureOf) {
  return (
    <form method="post" action={address(site, ['tables', seen.listed.name, 'bulk'], listAddress(list))} class="stack">
      <input type="hidden" name="verb" value={verb.action} />
      <input type="hidden" name="sure" value="yes" />
      <input type="hidden" name="of" value={ids === undefined ? 'all' : 'marked'} />
      {ids?.map((id) => (
        <input type="hidden" name="id" value={id} />
      ))}
      <Flaw of={typed} />
      {verb.field !== undefined && (
        <label>
          {verb.field.label}
          <input
            name="value"
            type={verb.field.type}
            placeholder={verb.field.placeholder}
            required={verb.field.isNeeded}
            value={typedIn(typed, 'value')}
            autofocus
          />
        </label>
      )}
      <div class="actions">
        <button type="submit" class={verb.isDangerous ? 'danger main' : 'main'}>
          {verb.label} {jobs}
        </button>
        <a class="button" href={back}>
          Back
        </a>
      </div>
    </form>
  )
}

/** So many ids are shown. */
const mostIds = 20

function Ids({ of }: { readonly of: readonly string[] }) {
  return (
    <ul class="chips">
      {of.slice(0, mostIds).map((id) => (
        <li>
          <code>{id}</code>
        </li>
      ))}
      {of.length > mostIds && <li>and {(of.length - mostIds).toLocaleString('en')} more</li>}
    </ul>
  )
}

/** Jobs may have come into another state by the time it is their turn. */
function leftText({ states }: Verb): string {
  if (states.includes('running')) return 'jobs that have ended'
  return states.includes('failed') ? 'running jobs' : 'running jobs, and those that have ended'
}

interface MatchingOf extends Pick<Meant, 'error'> {
  readonly list: ListQuery
}

function MatchingText({ list: { state, filters, fingerprint }, error }: MatchingOf) {
  if (state === undefined && filters.length === 0 && fingerprint === undefined) return <>every job of the table</>
  return (
    <div class="chips">
      {state !== undefined && <span class="badge">{stateLabels[state]}</span>}
      {filters.map((filter) => (
        <code class="badge info">{filterText(filter)}</code>
      ))}
      {fingerprint !== undefined && <span class="badge info">{kindText(error)}</span>}
    </div>
  )
}

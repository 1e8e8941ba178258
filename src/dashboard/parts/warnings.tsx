import type { ListedTable } from '../options.js'
import { address } from '../site.js'
import type { Warning } from '../warning.js'
import { Notice } from './notice.js'
import type { Visit } from './page.js'

/** A warning and the table that it is about; undefined: the server. */
export interface Told {
  readonly listed: ListedTable | undefined
  readonly warning: Warning
}

/** So many are shown at once: who has more begins with the worst. */
const mostShown = 5

interface WarningsOf {
  readonly visit: Visit
  readonly of: readonly Told[]
  /** More may be found soon. */
  readonly isChecking: boolean
}

/** What is not as it should be, the worst first; what is but advice, and whatever is too much, can be opened. */
export function Warnings({ visit, of, isChecking }: WarningsOf) {
  const order = ['bad', 'warn', 'info'] as const
  const sorted = order.map((tone) => of.filter(({ warning }) => warning.tone === tone))
  const [advice = []] = sorted.slice(2)
  const warnings = sorted.slice(0, 2).flat()
  const [first, rest] = [warnings.slice(0, mostShown), warnings.slice(mostShown)]
  if (of.length === 0 && !isChecking) return null
  return (
    <section class="stack" aria-label="Warnings">
      {notices(visit, first)}
      {isChecking && <p class="quiet small">Checking the tables, their errors and the server…</p>}
      <More visit={visit} of={rest} called={rest.length === 1 ? 'more warning' : 'more warnings'} />
      <More visit={visit} of={advice} called={advice.length === 1 ? 'piece of advice' : 'pieces of advice'} />
    </section>
  )
}

function More({ visit, of, called }: { readonly visit: Visit; readonly of: readonly Told[]; readonly called: string }) {
  if (of.length === 0) return null
  return (
    <details>
      <summary>
        {of.length} {called}
      </summary>
      <div class="stack opened">{notices(visit, of)}</div>
    </details>
  )
}

function notices(visit: Visit, of: readonly Told[]) {
  return of.map(({ listed, warning }) => (
    <Notice tone={warning.tone} title={`${listed?.title ?? 'Server'}: ${warning.what}`}>
      <p>
        {warning.why} {warning.remedy}
      </p>
      <Mending of={warning} />
      <p class="row">
        {listed !== undefined && warning.fingerprint !== undefined && (
          <a href={address(visit.site, ['tables', listed.name], [['error', warning.fingerprint]])}>Show these jobs</a>
        )}
        {listed !== undefined && warning.page !== undefined && (
          <a href={address(visit.site, ['tables', listed.name, warning.page])}>{pageTexts[warning.page]}</a>
        )}
        {warning.code !== undefined && <Docs code={warning.code} />}
      </p>
    </Notice>
  ))
}

const pageTexts = { errors: 'Errors', steering: 'Pauses and limits' } as const

/** Statements that are longer (characters) have to be opened. */
const longestOpen = 400

function Mending({ of: { sql = [], migration } }: { readonly of: Warning }) {
  const text = sql.map((statement) => `${statement};`).join('\n')
  return (
    <>
      {text !== '' && (
        <details open={text.length <= longestOpen}>
          <summary>SQL that mends it</summary>
          <div class="copied">
            <pre>{text}</pre>
            <button type="button" class="copy" data-copy>
              Copy
            </button>
          </div>
        </details>
      )}
      {migration !== undefined && (
        <p>
          In a migration: <code>{migration}</code>
        </p>
      )}
    </>
  )
}

const docs = 'https://github.com/kysely-jobs/kysely-jobs/blob/main/docs/doctor.md#what-it-finds'

const Docs = ({ code }: { readonly code: string }) => (
  <a href={docs} rel="noreferrer">
    {code} in the docs
  </a>
)

import { isHeeded, limitColumns } from '../../observe/heeded-limit.js'
import type { KeyUse } from '../../observe/limit-use.js'
import type { KeptLimit } from '../../queue/limit-jobs.js'
import type { WorkerLimit, WorkerState } from '../../records/worker-state.js'
import type { SeenTable } from '../seen-table.js'
import { address } from '../site.js'
import { typedIn } from '../typed.js'
import { isShownKey, KeyText, keyFields } from './key.js'
import { KeyChoice } from './key-choice.js'
import { Empty, Flaw } from './notice.js'
import type { FormOf, SteeringOf } from './pauses.js'

/** A limit of workers that are alive, and how many jobs run of each key. */
export interface InUse {
  readonly limit: WorkerLimit
  /** Undefined: one of its columns is hidden, or gone. */
  readonly keys: readonly KeyUse[] | undefined
}

interface LimitsOf extends FormOf {
  readonly kept: readonly KeptLimit[] | string
  readonly limits: readonly InUse[]
  /** Those that are alive. */
  readonly workers: readonly WorkerState[]
}

/** How far limits are used, and a form for another limit of a key. */
export function Limits({ visit, seen, kept, limits, workers, typed }: LimitsOf) {
  const { name } = seen.listed
  const may = visit.viewer.may('limit', name) && typeof kept !== 'string'
  const others = typeof kept === 'string' ? [] : kept
  return (
    <>
      {limits.length === 0 && (
        <Empty title="No worker that is alive limits its jobs">
          Workers with the option limit do, as in limit: {'{'} by: 'tenant_id', max: 2 {'}'}.
        </Empty>
      )}
      {limits.map(({ limit, keys }) => (
        <div class="padded stack">
          <p>
            Workers run at most <strong>{maxText(limit)}</strong>
            {limit.by.length > 0 && (
              <>
                {' '}
                of each <code>{limit.by.join(', ')}</code>
              </>
            )}
            {limit.total !== undefined && limit.max !== undefined && `, and ${limit.total} in all`}
          </p>
          <Used limit={limit} keys={keys} kept={others} />
        </div>
      ))}
      <KeptLimits visit={visit} seen={seen} kept={others} workers={workers} may={may} />
      {typeof kept === 'string' && <p class="padded quiet small">Limits can't be changed here: {kept}</p>}
      {may && (
        <form method="post" action={address(visit.site, ['tables', name, 'steering'])} class="inline padded">
          <Flaw of={typed} />
          <KeyChoice view={seen.view} all="all jobs of the table" typed={typed} likely={usualColumn(seen, limits)} />
          <label>
            At most
            <input name="max" type="number" min="0" required value={typedIn(typed, 'max')} />
          </label>
          <button type="submit" name="act" value="limit">
            Limit
          </button>
        </form>
      )}
    </>
  )
}

/** The column by which the workers limit: a limit by another is heeded by none. */
function usualColumn({ whole }: SeenTable, limits: readonly InUse[]): string | undefined {
  const [column, ...others] = new Set(limits.flatMap(({ limit }) => limitColumns(whole, limit)))
  return others.length === 0 ? column : undefined
}

const maxText = ({ max, total }: WorkerLimit): string =>
  max === null ? 'as many as a column says' : `${max ?? total} jobs`

/** How far each key is, the fullest first. */
function Used({ limit, keys, kept }: InUse & { readonly kept: readonly KeptLimit[] }) {
  if (keys === undefined) return <p class="quiet">A column of them is hidden here, or gone: they are not counted.</p>
  if (keys.length === 0) return <p class="quiet">None of them runs now.</p>
  return (
    <ul class="meters">
      {keys.map(({ key, running }) => {
        const own = kept.find(({ where }) => JSON.stringify(where ?? {}) === JSON.stringify(key))?.max
        const max = own ?? limit.max ?? limit.total
        return (
          <li>
            <KeyText of={limit.by.length === 0 ? undefined : key} all="all jobs" hidden={[]} />
            {max != null && max > 0 && <meter max={max} value={running} aria-label={`${running} of ${max} in use`} />}
            <span class="quiet">
              {running}
              {max != null && ` of ${max}`}
            </span>
          </li>
        )
      })}
    </ul>
  )
}

interface KeptOf extends SteeringOf {
  readonly kept: readonly KeptLimit[]
  readonly workers: readonly WorkerState[]
  readonly may: boolean
}

/** Limits that were set by limitJobs, or here. */
function KeptLimits({ visit, seen, kept, workers, may }: KeptOf) {
  if (kept.length === 0) return null
  return (
    <div class="padded stack">
      <h3>Limits that were set</h3>
      <ul class="meters">
        {kept.map(({ where, max }) => (
          <li>
            <KeyText of={where} all="all jobs of the table" hidden={seen.hidden} />
            <span>at most {max}</span>
            {!isHeeded(seen.whole, workers, where) && (
              <span class="badge warn">
                no worker that runs now limits{' '}
                {where === undefined ? 'all jobs' : `by ${Object.keys(where).join(', ')}`}: none heeds this
              </span>
            )}
            {may && isShownKey(where, seen.hidden) && (
              <form method="post" action={address(visit.site, ['tables', seen.listed.name, 'steering'])}>
                {keyFields(where)}
                <button type="submit" name="act" value="unlimit">
                  Remove
                </button>
              </form>
            )}
          </li>
        ))}
      </ul>
    </div>
  )
}

import type { Pause } from '../../queue/pauses.js'
import type { SeenTable } from '../seen-table.js'
import { address } from '../site.js'
import { type Typed, typedIn } from '../typed.js'
import { ColumnHeads } from './column-heads.js'
import { isShownKey, KeyText, keyFields } from './key.js'
import { KeyChoice } from './key-choice.js'
import { Empty, Flaw } from './notice.js'
import type { Visit } from './page.js'
import { When } from './when.js'

export interface SteeringOf {
  readonly visit: Visit
  readonly seen: SeenTable
}

interface PausesOf extends FormOf {
  readonly pauses: readonly Pause[] | string
}

/** A form, and what was typed into it where it was refused. */
export interface FormOf extends SteeringOf {
  readonly typed: Typed | undefined
}

/** What of a table is paused, and a form to pause more. */
export function Pauses({ visit, seen, pauses, typed }: PausesOf) {
  const { name } = seen.listed
  const may = visit.viewer.may('pause', name)
  if (typeof pauses === 'string') return <Empty title="Nothing can be paused yet">{pauses}</Empty>
  return (
    <>
      {pauses.length === 0 ? (
        <Empty title="Nothing is paused">Workers begin jobs as they become due.</Empty>
      ) : (
        <PauseTable visit={visit} seen={seen} pauses={pauses} may={may} />
      )}
      {may && <PauseForm visit={visit} seen={seen} typed={typed} />}
    </>
  )
}

interface PauseTableOf extends SteeringOf {
  readonly pauses: readonly Pause[]
  readonly may: boolean
}

function PauseTable({ visit, seen, pauses, may }: PauseTableOf) {
  const action = address(visit.site, ['tables', seen.listed.name, 'steering'])
  return (
    <div class="scroll">
      <table class="stacked">
        <ColumnHeads of={['What', 'Why', 'Since', 'Until']} actions />
        <tbody>
          {pauses.map(({ where, reason, since, until }) => (
            <tr>
              <th scope="row">
                <KeyText of={where} all="the whole table" hidden={seen.hidden} />
              </th>
              <td data-head="Why">{reason ?? <span class="quiet">–</span>}</td>
              <td data-head="Since">
                <When at={since} now={visit.now} />
              </td>
              <td data-head="Until">
                {until === undefined ? <span class="quiet">it is resumed</span> : <When at={until} now={visit.now} />}
              </td>
              <td>
                {may && isShownKey(where, seen.hidden) && (
                  <form method="post" action={action}>
                    {keyFields(where)}
                    <button type="submit" name="act" value="resume">
                      Resume
                    </button>
                  </form>
                )}
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  )
}

function PauseForm({ visit, seen, typed }: FormOf) {
  return (
    <form method="post" action={address(visit.site, ['tables', seen.listed.name, 'steering'])} class="inline padded">
      <Flaw of={typed} />
      <KeyChoice view={seen.view} all="the whole table" typed={typed} />
      <label>
        Why
        <input name="reason" value={typedIn(typed, 'reason')} />
      </label>
      <label>
        For how long
        <input name="until" placeholder="2h, or empty" value={typedIn(typed, 'until')} />
      </label>
      <button type="submit" name="act" value="pause">
        Pause
      </button>
    </form>
  )
}

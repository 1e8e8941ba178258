import { connecting, type Proxy as FaultProxy, type Line, type Matches, type Moment } from '../../support/proxy.ts'
import { lease } from './errands.ts'

/**
 * What happens at a point: the connection is cut; or its bytes stop both ways for longer than a lease, and then it is closed
 * or heals; or those of all connections do, and heal.
 */
export type Fault = 'cut' | 'frozen, then closed' | 'frozen, then healed' | 'all frozen, then healed'

/** One message of a course: of the pool or the listener, by its text, and the how manieth with it. */
interface Message {
  readonly role: string
  readonly statement: string
  readonly occurrence: number
}

/** Where a play is put under fault, and under which. */
export interface Point extends Message {
  readonly moment: Moment
  readonly fault: Fault
}

/** To stop after the server has a message, and to stop before its answer is read, are the same to who is frozen. */
const moments: Record<Fault, readonly Moment[]> = {
  cut: ['asking', 'asked', 'answering', 'answered'],
  'frozen, then closed': ['asking', 'answering', 'answered'],
  'frozen, then healed': ['asking', 'answering', 'answered'],
  'all frozen, then healed': ['asking', 'answering', 'answered'],
}

/** Milliseconds; longer than a lease. */
export const frozenFor = lease * 1.3

/** How long a statement that arrives late has to run. */
const arrival = 100

/** All points of some courses without fault: of what was said in each of them, a few occurrences of each text. */
export function pointsOf(recordings: readonly Recording[], most: number): Point[] {
  const [first, ...others] = recordings.map(({ counts }) => counts)
  return [...(first ?? [])].flatMap(([text, count]) => {
    const { role, statement } = JSON.parse(text) as Omit<Message, 'occurrence'>
    const times = Math.min(most, count, ...others.map((counts) => counts.get(text) ?? 0))
    return Array.from({ length: times }, (_, i) => pointsAt({ role, statement, occurrence: i + 1 })).flat()
  })
}

function pointsAt(message: Message): Point[] {
  const isNotice = message.statement.startsWith('notification on ')
  return Object.entries(moments).flatMap(([fault, moments]) =>
    moments
      .filter((moment) => !isNotice || moment === 'answering' || moment === 'answered')
      .map((moment) => ({ ...message, moment, fault: fault as Fault })),
  )
}

export function nameOf({ role, statement, occurrence, moment, fault }: Point): string {
  return `${fault}, ${moment} (${role}, ${occurrence}): ${statement.replaceAll(/\s+/g, ' ').slice(0, 160)}`
}

/** What is said in a course, and how often. */
export class Recording {
  readonly counts = new Map<string, number>()

  constructor(proxy: FaultProxy) {
    proxy.trap({ moment: 'asking', matches: (...said) => this.#hear(...said), sprung: () => {} })
  }

  #hear(...said: Parameters<Matches>): boolean {
    const text = textOf(...said)
    this.counts.set(text, (this.counts.get(text) ?? 0) + 1)
    return false
  }
}

/** A point in a play: whether it was hit, and when what happened there is over. */
export class Strike {
  hit = false
  readonly over: Promise<void>
  readonly #end: () => void
  readonly #proxy: FaultProxy
  readonly #point: Point

  constructor(proxy: FaultProxy, point: Point) {
    const { promise, resolve } = Promise.withResolvers<void>()
    this.over = promise
    this.#end = resolve
    this.#proxy = proxy
    this.#point = point
    const { role, statement } = point
    const text = JSON.stringify({ role, statement })
    let heard = 0
    const matches: Matches = (...said) => {
      if (textOf(...said) !== text) return false
      heard += 1
      return heard === point.occurrence
    }
    proxy.trap({ moment: point.moment, matches, sprung: (line) => this.#strike(line) })
  }

  #strike(line: Line): void {
    this.hit = true
    const { fault } = this.#point
    if (fault === 'cut') line.cut()
    else if (fault === 'all frozen, then healed') this.#proxy.hold()
    else line.freeze()
    setTimeout(() => this.#heal(line), fault === 'cut' ? 0 : frozenFor)
  }

  #heal(line: Line): void {
    const { fault } = this.#point
    if (fault === 'frozen, then closed') line.cut()
    else if (fault === 'frozen, then healed') line.thaw()
    else if (fault === 'all frozen, then healed') this.#proxy.heal()
    setTimeout(this.#end, arrival)
  }
}

/** A message as it is in each play: who says it, and its text without ids of the moment. */
function textOf(statement: string, _before: string, application: string): string {
  const role = application === 'kysely-jobs listener' ? 'listener' : 'pool'
  const text =
    statement === connecting ? statement : statement.replaceAll(/[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}/g, 'uuid')
  return JSON.stringify({ role, statement: text })
}

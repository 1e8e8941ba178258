import { fork } from 'node:child_process'
import { setTimeout as sleep } from 'node:timers/promises'
import { Hand } from '../../test/chaos/crew.ts'
import type { WorkSettings } from './peer.ts'

/** A supervisor waits a moment before it starts a process again that ended. */
const pause = 250

/** The worker processes of one queue, and their supervisor, who starts one for each that ends. */
export class Crew {
  readonly hands: Hand[] = []
  /** How many ended and nobody had asked them to. */
  deserters = 0
  #supervising = true
  readonly #settings: WorkSettings
  readonly #say: (line: string) => void

  constructor(settings: WorkSettings, say: (line: string) => void) {
    this.#settings = settings
    this.#say = say
  }

  /** Starts so many processes, and waits until their workers run. */
  async start(count: number): Promise<Hand[]> {
    const hands = Array.from({ length: count }, () => this.#fork())
    await Promise.all(hands.map((hand) => hand.said('started')))
    return hands
  }

  #fork(): Hand {
    const script = new URL('worker-process.ts', import.meta.url)
    const child = fork(script, [JSON.stringify(this.#settings)], { stdio: ['ignore', 'ignore', 'pipe', 'ipc'] })
    const hand = new Hand(child)
    this.hands.push(hand)
    let last = ''
    child.stderr?.on('data', (text) => {
      last = `${last}${text}`.slice(-10_000)
    })
    child.once('close', () => this.#mourn(hand, last))
    return hand
  }

  async #mourn(hand: Hand, last: string): Promise<void> {
    if (!this.#supervising) return
    if (hand.askedAt === undefined) {
      this.deserters += 1
      const reason = /^\S*(?:Error|error)\b.*$/m.exec(last)?.[0] ?? ''
      this.#say(`a process ended by itself (${hand.child.exitCode ?? hand.child.signalCode}) ${reason.slice(0, 100)}`)
    }
    await sleep(pause)
    if (this.#supervising) this.#fork()
  }

  /** Those that run. */
  get alive(): Hand[] {
    return this.hands.filter(({ endedAt }) => endedAt === undefined)
  }

  /** What ends from now on stays so. */
  dismissSupervisor(): void {
    this.#supervising = false
  }

  /** Leaves none behind, whatever state they are in. */
  async end(): Promise<void> {
    this.dismissSupervisor()
    const alive = this.alive
    for (const hand of alive) hand.child.kill('SIGKILL')
    await Promise.all(alive.map((hand) => hand.ended(5_000)))
  }
}

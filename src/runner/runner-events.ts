import type { Fired } from '../schedule/fire.js'
import type { ScheduleKey } from '../schedule/schedules-table.js'
import type { JobId } from '../schema/columns.js'
import { schedulesTable } from '../schema/side-table.js'
import type { WorkerEvent, WorkerEvents } from '../worker/events.js'
import type { Logger } from '../worker/logger.js'
import { errorText } from '../worker/run/error-text.js'
import type { RunnableWorker } from './runner-options.js'
import type { Undeclared } from './scheduler.js'

/** A schedule was fired by this runner. */
export interface ScheduledEvent {
  readonly table: string
  readonly schedule: string
  /** The slots that have a job, or the moment at which it was triggered; and the ids of those jobs, in the same order. */
  readonly slots: readonly Date[]
  readonly jobs: readonly JobId[]
  /** The first slot that got none, where some got none: missed, or as the last job is unfinished. */
  readonly passedOver: Date | undefined
  /** How many got none; 1,000 stands for as many or more. */
  readonly passedOverCount: number
}

export type RunnerEventName = WorkerEvent | 'scheduled'

/** What a runner tells: what its workers do, each with its table; and what became of schedules. */
export type RunnerEvent<Name extends RunnerEventName> = Name extends WorkerEvent
  ? WorkerEvents<object>[Name][0] & { readonly table: string }
  : ScheduledEvent

/** Tells listeners and the log. */
export class RunnerEvents {
  readonly #workers: readonly RunnableWorker[]
  readonly #logger: Logger
  readonly #scheduled: ((event: ScheduledEvent) => unknown)[] = []
  readonly #failed: ((event: RunnerEvent<'error'>) => unknown)[] = []

  constructor(workers: readonly RunnableWorker[], logger: Logger) {
    this.#workers = workers
    this.#logger = logger
  }

  on<Name extends RunnerEventName>(name: Name, listener: (event: RunnerEvent<Name>) => void): void {
    const called = listener as (event: object) => unknown // with the event of its name
    if (name === 'scheduled') this.#scheduled.push(called)
    else this.#onWorkers(name as WorkerEvent, called) // every other name is one
    if (name === 'error') this.#failed.push(called)
  }

  #onWorkers(name: WorkerEvent, listener: (event: object) => unknown): void {
    for (const worker of this.#workers) {
      worker.on(name, (payload) => listener({ ...(payload as object), table: worker.table })) // each payload is one
    }
  }

  fired({ of, name, slots, jobs, passedOver, passedOverCount, unfinished }: Fired): void {
    const event = { table: of.name, schedule: name, slots, jobs, passedOver, passedOverCount }
    const facts = { table: of.name, schedule: name, slots: slots.length, passedOver, passedOverCount }
    if (passedOver !== undefined && !unfinished) {
      const text = `${of.name}: slots of the schedule ${name} were missed and get no job: ${passedOverCount}, the first at ${passedOver.toISOString()}; slots that have a job now: ${slots.length}`
      this.#logger.warn(facts, text)
    } else this.#logger.debug(facts, `${of.name}: schedule ${name} ${unfinished ? 'passed over' : 'fired'}`)
    this.#call(this.#scheduled, event)
  }

  /** Schedules of the code of before. */
  leftOver(keys: readonly ScheduleKey[], undeclared: Undeclared): void {
    for (const { of, name } of keys) {
      const facts = { table: of.name, schedule: name }
      if (undeclared === 'remove')
        this.#logger.info(facts, `${of.name}: removed the schedule ${name}, which no code declares`)
      else
        this.#logger.warn(
          facts,
          `${of.name}: the schedule ${name} is there, and this code does not declare it: removeSchedule removes it`,
        )
    }
  }

  failed(error: unknown, doing: string, key?: ScheduleKey): void {
    const table = key?.of.name ?? schedulesTable.name
    this.#logger.error({ table, error: errorText(error) }, `${table}: an error while ${doing}; the runner goes on`)
    this.#call(this.#failed, { table, error, doing })
  }

  /** One that throws keeps the event from no other, and ends nothing. */
  #call<Event extends object>(listeners: readonly ((event: Event) => unknown)[], event: Event): void {
    const failed = (error: unknown) => this.#logger.error({ error: errorText(error) }, 'a listener of a runner threw')
    for (const listener of listeners) {
      try {
        const answer = listener(event)
        if (answer instanceof Promise) answer.catch(failed)
      } catch (error) {
        failed(error)
      }
    }
  }
}

/**
 * What a notification on a job table's channel asks of its workers:
 * - due: a job is due in so many milliseconds, or now (0). The triggers say it; IHP's, with an empty payload, mean now.
 * - check leases: running jobs were cancelled; their workers look for what they no longer hold.
 * - pauses: the table, or a key of it, was paused or resumed. Packages of before, and IHP's workers, take it for something that is due.
 */
export type Signal =
  | { readonly kind: 'due'; readonly in: number }
  | { readonly kind: 'check leases' }
  | { readonly kind: 'pauses' }

const texts = { 'check leases': 'check', pauses: 'pauses' } as const

/** The payload that says a signal; {@link signalOf} reads it again. */
export function payloadOf(signal: Signal): string {
  return signal.kind === 'due' ? String(signal.in) : texts[signal.kind]
}

/** Reads any payload. One that nobody of ours wrote, or a time that makes no sense, means that something may be due now. */
export function signalOf(payload: string): Signal {
  if (payload === texts['check leases']) return { kind: 'check leases' }
  if (payload === texts.pauses) return { kind: 'pauses' }
  const due = Number(payload)
  return { kind: 'due', in: due > 0 ? due : 0 }
}

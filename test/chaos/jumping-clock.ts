/**
 * Loaded before all else (--import), it puts the wall clock of a process days off, and lets it jump back and forth. The
 * monotonic clock goes on as ever.
 */

const RealDate = Date
const day = 86_400_000
const offsets = [400 * day, -400 * day, 3_600_000, -30 * day, 10_000 * day]

let jumps = 0
let offset = offsets[0] as number

/** Only what asks for the present moment is misled. */
class JumpingDate extends RealDate {
  constructor(...parts: unknown[]) {
    super(...((parts.length === 0 ? [JumpingDate.now()] : parts) as []))
  }

  static override now(): number {
    return RealDate.now() + offset
  }
}

globalThis.Date = JumpingDate as DateConstructor

setInterval(() => {
  jumps += 1
  offset = offsets[jumps % offsets.length] as number
  if (process.connected) process.send?.({ event: 'jumped', facts: { clock: Date.now() } })
}, 130).unref()

import { expect, test } from 'vitest'
import { payloadOf, type Signal, signalOf } from '../../src/queue/signal.js'

test.each<Signal>([{ kind: 'due', in: 0 }, { kind: 'due', in: 1500 }, { kind: 'check leases' }])(
  '%j is read as it was written',
  (signal) => {
    expect(signalOf(payloadOf(signal))).toEqual(signal)
  },
)

test.each(['', '0', '-5', 'NaN', 'cheque', '{"due":5}', ' '])(
  'the payload %j means that something may be due now',
  (payload) => {
    expect(signalOf(payload)).toEqual({ kind: 'due', in: 0 })
  },
)

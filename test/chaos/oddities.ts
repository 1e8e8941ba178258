import { setTimeout as sleep } from 'node:timers/promises'

/** What a handler may do that nobody expects of it. */
export interface Oddity {
  readonly name: string
  act(signal: AbortSignal): unknown
  /** What the row says of it; undefined where the job succeeds all the same. */
  readonly says: RegExp | undefined
}

/** How long a handler may run where these are done. */
export const timeout = 2_000

/** @throws whatever it is given */
function raise(thrown: unknown): never {
  throw thrown
}

const circular: { self?: unknown } = {}
circular.self = circular

function chained(): Error {
  const first = new Error('first')
  first.cause = new Error('second', { cause: first })
  return first
}

const trap = () => raise(new Error('trap'))

/** An error whose fields are what they should not be. */
function strange(fields: object): Error {
  return Object.assign(new Error('strange'), fields)
}

const thrown: readonly (readonly [string, () => unknown, RegExp])[] = [
  ['undefined', () => undefined, /^A value that is no error was thrown: undefined$/],
  ['null', () => null, /^A value that is no error was thrown: null$/],
  ['an empty text', () => '', /./],
  [
    'a circular object',
    () => circular,
    /^A value that is no error was thrown: <ref \*1> \{ self: \[Circular \*1\] \}$/,
  ],
  ['a symbol', () => Symbol('odd'), /^A value that is no error was thrown: Symbol\(odd\)$/],
  ['a function', () => () => {}, /^A value that is no error was thrown: \[Function/],
  [
    'throwing getters',
    () => Object.defineProperties(new Error(), { message: { get: trap }, stack: { get: trap }, cause: { get: trap } }),
    /^An error without a readable message$/,
  ],
  ['a proxy that throws', () => new Proxy({}, { get: trap, getPrototypeOf: trap, ownKeys: trap }), /./],
  ['a revoked proxy', () => revoked(), /./],
  ['NUL', () => new Error('a\0b'), /^Error: a\uFFFDb/],
  ['half of a surrogate pair', () => new Error('a\uD800b'), /^Error: a\uFFFDb/],
  ['10 MB', () => new Error('x'.repeat(10_000_000)), /^Error: x{7000}x* \.\.\. \(10\d{6} characters\)$/],
  ['a circle of causes', chained, /^Error: first\ncaused by Error: second\ncaused by Error: first/],
  [
    'many errors',
    () => new AggregateError([new Error('a'), null], 'both'),
    /^AggregateError: both\ncaused by Error: a/,
  ],
  ['a frozen error', () => Object.freeze(new Error('cold')), /^Error: cold\n/],
  ['a message that is no text', () => strange({ message: { deep: 1 } }), /^Error: \{ deep: 1 \}/],
  ['a message that can not be one', () => strange({ message: Object.create(null) }), /^Error: \[Object: null/],
  ['a stack that is no text', () => strange({ stack: 7 }), /^Error: strange$/],
  ['a name that is no text', () => strange({ name: Symbol('n') }), /^Symbol\(n\): strange/],
]

function revoked(): object {
  const { proxy, revoke } = Proxy.revocable({}, {})
  revoke()
  return proxy
}

export const oddities: readonly Oddity[] = [
  ...thrown.map(([name, make, says]) => ({ name: `throws ${name}`, act: () => raise(make()), says })),
  { name: 'rejects with undefined', act: () => Promise.reject(undefined), says: /thrown: undefined$/ },
  { name: 'never settles', act: () => new Promise(() => {}), says: /^Timeout reached$/ },
  { name: 'returns after its timeout', act: () => sleep(timeout * 1.2), says: /^Timeout reached$/ },
  { name: 'throws after its timeout', act: () => sleep(timeout * 1.2).then(trap), says: /^Timeout reached$/ },
  {
    name: 'throws what its signal says',
    act: (signal) => sleep(timeout * 10, undefined, { signal }),
    says: /^Timeout reached$/,
  },
  {
    name: 'rejects twice',
    // biome-ignore lint/suspicious/noThenProperty: a thenable that breaks its promise is what is tried
    act: () => ({ then: (_: unknown, no: (why: Error) => void) => [1, 2].map((n) => no(new Error(`no ${n}`))) }),
    says: /^Error: no 1\n/,
  },
  {
    name: 'resolves, then rejects',
    // biome-ignore lint/suspicious/noThenProperty: as above
    act: () => ({ then: (yes: () => void, no: (why: Error) => void) => [yes(), no(new Error('late'))] }),
    says: undefined,
  },
  {
    name: 'returns a thenable that throws',
    // biome-ignore lint/suspicious/noThenProperty: as above
    act: () => ({ then: () => raise(new Error('then')) }),
    says: /^Error: then\n/,
  },
  {
    name: 'leaves a rejection to nobody',
    act() {
      process.once('unhandledRejection', () => {}) // by default it ends a process, whatever library called the handler
      void Promise.reject(new Error('floating'))
    },
    says: undefined,
  },
  {
    name: 'returns a bigint',
    act: () => ({ n: 1n }),
    says: /^ResultError: .*no JSON.*\ncaused by TypeError: .*BigInt/,
  },
  { name: 'returns a circle', act: () => circular, says: /^ResultError: .*no JSON.*\ncaused by TypeError: .*circular/ },
  { name: 'returns what throws', act: () => ({ toJSON: trap }), says: /^ResultError: .*\ncaused by Error: trap/ },
  { name: 'returns NUL', act: () => ({ text: '\0' }), says: /^ResultError: .*NUL/ },
]

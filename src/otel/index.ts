export { type Instrumentation, type InstrumentedWorker, type InstrumentOptions, instrument } from './instrument.js'
export { tracedEnqueue } from './traced-enqueue.js'
export { traceparent } from './traceparent.js'

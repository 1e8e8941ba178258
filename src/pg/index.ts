export { guardPool, type PoolBounds } from './guard-pool.js'

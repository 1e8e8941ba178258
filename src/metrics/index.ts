export { type MetricsOptions, metricsHandler, NoPromClientError } from './metrics-handler.js'

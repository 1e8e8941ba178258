export type { Access, Action, Authorize } from './access.js'
export { dashboard } from './dashboard.js'
export { nodeHandler } from './node-handler.js'
export { type ActionEvent, DashboardOptionError, type DashboardOptions, type TableOptions } from './options.js'

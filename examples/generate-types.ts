/** Writes db.ts anew, after a migration changed: npm run example generate-types */

import { execFileSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'

const here = (path: string) => fileURLToPath(new URL(path, import.meta.url))
// what `npx kysely-jobs generate --out db.ts` runs in a project that has us installed
execFileSync(process.execPath, [here('../dist/src/cli/main.js'), 'generate', '--out', here('./db.ts')], {
  stdio: 'inherit',
})

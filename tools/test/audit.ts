import { spawnSync } from 'node:child_process'
import { skipped } from './step.ts'

/**
 * `npm audit` of what is installed with us: fails for a fault of high severity. A registry that does not answer, or
 * has no audit, says nothing about us; then it exits as skipped, so that no test needs the network.
 * The argument is the npm that runs us.
 */
const [npm = ''] = process.argv.slice(2)
const patience = ['--fetch-retries=0', '--fetch-timeout=10000']
const { stdout } = spawnSync(
  process.execPath,
  [npm, 'audit', '--omit=dev', '--audit-level=high', '--json', ...patience],
  { encoding: 'utf8', timeout: 30_000, maxBuffer: 2 ** 26 },
)

interface Report {
  readonly auditReportVersion?: number
  readonly vulnerabilities?: Readonly<Record<string, { readonly severity: string; readonly range: string }>>
}

function reportIn(text: string): Report {
  try {
    return JSON.parse(text) ?? {}
  } catch {
    return {}
  }
}

const { auditReportVersion, vulnerabilities = {} } = reportIn(stdout)
if (auditReportVersion === undefined) {
  console.log('Skipped: the registry gave no answer to npm audit')
  process.exitCode = skipped
} else {
  const grave = Object.entries(vulnerabilities).filter(([, { severity }]) => /^(?:high|critical)$/.test(severity))
  for (const [name, { severity, range }] of grave) console.log(`${name} ${range}: ${severity}`)
  process.exitCode = grave.length > 0 ? 1 : 0
}

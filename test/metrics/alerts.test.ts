import { execFileSync } from 'node:child_process'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { read, root } from '../readme/blocks.js'
import { promtool, withoutPrometheus } from '../support/prometheus.js'

const run = (...args: string[]) =>
  execFileSync(promtool as string, args, { encoding: 'utf8', cwd: join(root, 'test/metrics') }) // where it is

test.skipIf(withoutPrometheus)(
  `promtool accepts the alert rules, and each tells of what it is for ${withoutPrometheus ?? ''}`,
  () => {
    expect(run('check', 'rules', '../../docs/prometheus/alerts.yml')).toContain('SUCCESS: 11 rules found')
    expect(run('test', 'rules', 'alerts.test.yml')).toContain('SUCCESS')
  },
)

test('each alert is tested, both when all is well and when it is not', () => {
  const alerts = [...read('docs/prometheus/alerts.yml').matchAll(/alert: (\w+)/g)].map(([, name]) => name as string)
  const tests = read('test/metrics/alerts.test.yml')
  expect(alerts).toHaveLength(11)
  for (const alert of alerts) {
    expect(tests, alert).toContain(`alertname: ${alert} }`)
    expect(tests, alert).toMatch(new RegExp(`alertname: ${alert}\\n        exp_alerts:\\n          - exp_labels`))
  }
})

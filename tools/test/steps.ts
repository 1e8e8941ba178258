import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Step } from './step.ts'

/** The other step and the tests leave no core free for its other threads, which repeat much of each other's work. */
const tsc = ['node_modules/typescript/bin/tsc', '--singleThreaded']

/** What the other steps and the tests rest on: they look at dist/ as a user's program does. */
export const build: Step = {
  name: 'build',
  commands: [
    ['-e', 'fs.rmSync("dist", { recursive: true, force: true })'],
    [...tsc, '-p', 'tsconfig.build.json'],
    ['tools/build/dashboard.ts'],
    ['tools/build/commonjs-types.ts'],
  ],
}

/** All checks that are no vitest files, the longest first. */
export function checks(scratch: string): Step[] {
  return [
    {
      name: 'types',
      commands: [
        [...tsc, '-p', 'tsconfig.json'],
        [...tsc, '-p', 'src/dashboard/client'],
      ],
    },
    packedTarball(scratch),
    { name: 'npm audit of what is installed with us', commands: [['tools/test/audit.ts', npm()]] },
    { name: 'unused code and packages', commands: [['node_modules/knip/bin/knip.js']] },
    {
      name: 'format and lint',
      commands: [['node_modules/@biomejs/biome/bin/biome', 'check', '--error-on-warnings', '.']],
    },
  ]
}

function packedTarball(scratch: string): Step {
  const { name, version } = JSON.parse(readFileSync('package.json', 'utf8'))
  const tarball = join(scratch, `${name}-${version}.tgz`)
  return {
    name: 'packed tarball (publint, are the types wrong)',
    commands: [
      [npm(), 'pack', '--ignore-scripts', '--loglevel=error', '--pack-destination', scratch],
      ['tools/test/publint.ts', tarball],
      [
        'node_modules/@arethetypeswrong/cli/dist/index.js',
        ...[tarball, '--profile', 'strict', '--no-color'],
        ...['--ignore-rules', 'false-cjs', 'cjs-resolves-to-esm'], // Node requires our ES modules
      ],
    ],
  }
}

/** The npm that runs us: it is nowhere in node_modules. */
function npm(): string {
  const script = process.env.npm_execpath
  if (script === undefined) throw new Error('Run the checks by npm: `npm test` or `npm run check`')
  return script
}

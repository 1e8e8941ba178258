import { globSync, readFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import type { Step } from './step.ts'

const tsc = (compiler: string) => `node_modules/${compiler}/${compiler === 'typescript' ? 'bin/tsc' : 'lib/tsc.js'}`

/** What the other steps and the tests rest on: they look at dist/ as a user's program does. */
export const build: Step = {
  name: 'build',
  commands: [
    ['-e', 'fs.rmSync("dist", { recursive: true, force: true })'],
    [tsc('typescript'), '-p', 'tsconfig.build.json'],
    ['tools/build/commonjs-types.ts'],
  ],
}

/** All checks that are no vitest files, the longest first. */
export function checks(scratch: string): Step[] {
  return [
    ...typesForUsers(),
    { name: 'types', commands: [[tsc('typescript'), '-p', 'tsconfig.json']] },
    packedTarball(scratch),
    { name: 'npm audit of what is installed with us', commands: [['tools/test/audit.ts', npm()]] },
    { name: 'unused code and packages', commands: [['node_modules/knip/bin/knip.js']] },
    {
      name: 'format and lint',
      commands: [['node_modules/@biomejs/biome/bin/biome', 'check', '--error-on-warnings', '.']],
    },
  ]
}

/**
 * The type tests, as a user's compiler sees them: against dist/, by every compiler and setting we promise. Those of
 * the strict project are test/types.test.ts, which reads the messages too.
 */
function typesForUsers(): Step[] {
  const projects = globSync('test/types/tsconfig.*.json').sort()
  return ['typescript-5.4', 'typescript-5.9', 'typescript-6', 'typescript'].flatMap((compiler) => {
    const { version } = JSON.parse(readFileSync(`node_modules/${compiler}/package.json`, 'utf8'))
    return projects.map((project) => ({
      name: `types for users of TypeScript ${version} (${basename(project)})`,
      commands: [[tsc(compiler), '--noEmit', '-p', project]],
    }))
  })
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

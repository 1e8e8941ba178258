import { execFileSync } from 'node:child_process'

/** The account of the system that runs the server. */
export interface Account {
  readonly uid: number
  readonly gid: number
}

/** Postgres refuses to run as root: then an account that has fewer rights runs it, else we do (undefined). */
export function serverAccount(): Account | undefined {
  if (process.getuid?.() !== 0) return undefined
  for (const name of ['postgres', 'nobody']) {
    const uid = identity('-u', name)
    const gid = identity('-g', name)
    if (uid !== undefined && gid !== undefined) return { uid, gid }
  }
  throw new Error('Postgres does not run as root, and this machine has no account `postgres` or `nobody`')
}

function identity(flag: '-u' | '-g', name: string): number | undefined {
  try {
    return Number(execFileSync('id', [flag, name], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }))
  } catch {
    return undefined
  }
}

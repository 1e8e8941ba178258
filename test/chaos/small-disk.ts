import { execFile } from 'node:child_process'
import { chown, rm } from 'node:fs/promises'
import { promisify } from 'node:util'
import { serverAccount } from '../../tools/postgres/account.ts'
import { scratchFolder } from '../../tools/postgres/cluster.ts'

const run = promisify(execFile)

/** A disk of its own, small enough to be filled. */
export interface SmallDisk {
  /** A folder on it that belongs to the account of our servers. */
  readonly path: string
  remove(): Promise<void>
}

/** Mounts one of so many MB; undefined where that is not allowed: only root may, and not in every container. */
export async function mountSmallDisk(megabytes: number): Promise<SmallDisk | undefined> {
  const account = serverAccount()
  if (account === undefined || process.platform !== 'linux') return undefined
  const path = scratchFolder(account)
  const remove = () => rm(path, { recursive: true, force: true })
  try {
    await run('mount', ['-t', 'tmpfs', '-o', `size=${megabytes}m,mode=700`, 'none', path])
  } catch {
    await remove()
    return undefined
  }
  await chown(path, account.uid, account.gid)
  return { path, remove: () => run('umount', [path]).then(remove) }
}

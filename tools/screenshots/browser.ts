import { existsSync } from 'node:fs'
import { type Browser, chromium } from 'playwright-core'

const program = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'].find(existsSync)

/** Why there are no pages to look at on this machine; undefined where there are. */
export const withoutBrowser =
  program === undefined ? 'skipped: this machine has no Chromium (Debian: apt-get install chromium)' : undefined

/** Starts Debian's Chromium, which root can start only without its sandbox. */
export function startBrowser(): Promise<Browser> {
  if (program === undefined) throw new Error(withoutBrowser)
  const args = ['--disable-gpu', ...(process.getuid?.() === 0 ? ['--no-sandbox'] : [])]
  return chromium.launch({ executablePath: program, args })
}

import { existsSync } from 'node:fs'
import { type Browser, chromium } from 'playwright-core'

/** The shell is Chromium without windows: the same pages for a quarter of the work. */
const programs = ['chromium-headless-shell', 'chromium', 'chromium-browser', 'google-chrome']
const program = programs.map((name) => `/usr/bin/${name}`).find(existsSync)

/** Why there are no pages to look at on this machine; undefined where there are. */
export const withoutBrowser =
  program === undefined
    ? 'skipped: this machine has no Chromium (Debian: apt-get install chromium-headless-shell)'
    : undefined

/** Starts Debian's Chromium, which root can start only without its sandbox. */
export function startBrowser(): Promise<Browser> {
  if (program === undefined) throw new Error(withoutBrowser)
  const args = ['--disable-gpu', ...(process.getuid?.() === 0 ? ['--no-sandbox'] : [])]
  return chromium.launch({ executablePath: program, args })
}

import type { Browser, BrowserContextOptions, Page } from 'playwright-core'
import { afterAll, test as base, beforeAll, expect, onTestFinished } from 'vitest'
import { startBrowser, withoutBrowser } from '../../tools/screenshots/browser.js'

/** A test in a browser. */
export const test = base.skipIf(withoutBrowser !== undefined)

/**
 * A browser for a whole test file. It opens addresses, each in a session of its own; a test fails where its page threw, opened a dialog, or was refused
 * something by its own policy.
 */
export function testBrowser(): (address: string, options?: BrowserContextOptions) => Promise<Page> {
  let browser: Browser | undefined
  if (withoutBrowser !== undefined) console.log(`Tests in a browser are ${withoutBrowser}`)
  else
    beforeAll(async () => {
      browser = await startBrowser()
    })
  afterAll(() => browser?.close())
  return async (address, options) => {
    if (browser === undefined) throw new Error(withoutBrowser)
    const context = await browser.newContext(options)
    const page = await context.newPage()
    const faults: string[] = []
    page.on('dialog', (dialog) => {
      faults.push(`a dialog: ${dialog.message()}`)
      dialog.dismiss()
    })
    page.on('pageerror', (error) => faults.push(error.message))
    page.on('console', (said) => /Content.Security.Policy/i.test(said.text()) && faults.push(said.text()))
    onTestFinished(async () => {
      await context.close()
      expect(faults).toEqual([])
    })
    await page.goto(address)
    return page
  }
}

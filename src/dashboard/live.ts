import { createHash } from 'node:crypto'

/** How often (milliseconds) a page that is followed is made anew, and after how long a viewer has to be let in again. */
const interval = 2_000
const longest = 300_000
/** A connection that says nothing for long is closed by proxies. */
const quietest = 15_000
const nothingNew = ': nothing new\n\n'

interface Followed {
  readonly viewers: Set<(event: string) => void>
  timer: NodeJS.Timeout | undefined
  hash: string | undefined
  toldAt: number
}

/**
 * Pages that browsers follow, by server-sent events. Viewers of one page share it: it is made once for all of them, and not at all when nobody
 * looks.
 */
export class LivePages {
  readonly #pages = new Map<string, Followed>()

  /**
   * The stream of a page.
   * @param key the same for what looks the same @param make the page's main part; one that fails is tried again
   */
  follow(key: string, make: () => Promise<string>): Response {
    const encoder = new TextEncoder()
    let leave = () => {}
    let unsent: string | undefined
    const stream = new ReadableStream<Uint8Array>({
      start: (controller) => {
        // Who does not read gets the latest when they do: kept for them, all pages since would fill the memory.
        const send = (event: string) => {
          if ((controller.desiredSize ?? 0) > 0) controller.enqueue(encoder.encode(event))
          else if (event !== nothingNew || unsent === undefined) unsent = event
        }
        controller.enqueue(encoder.encode('retry: 2000\n\n'))
        const leaves = this.#join(key, make, send)
        const over = setTimeout(() => {
          leave()
          controller.close()
        }, longest)
        leave = () => {
          clearTimeout(over)
          leaves()
        }
      },
      pull: (controller) => {
        if (unsent !== undefined) controller.enqueue(encoder.encode(unsent))
        unsent = undefined
      },
      cancel: () => leave(),
    })
    const headers = { 'content-type': 'text/event-stream', 'cache-control': 'no-store', 'x-accel-buffering': 'no' }
    return new Response(stream, { headers })
  }

  #join(key: string, make: () => Promise<string>, send: (event: string) => void): () => void {
    const page = this.#pages.get(key) ?? { viewers: new Set(), timer: undefined, hash: undefined, toldAt: 0 }
    this.#pages.set(key, page)
    page.viewers.add(send)
    page.timer ??= setTimeout(() => void this.#round(page, make), interval)
    return () => {
      page.viewers.delete(send)
      if (page.viewers.size > 0) return
      clearTimeout(page.timer)
      this.#pages.delete(key)
    }
  }

  async #round(page: Followed, make: () => Promise<string>): Promise<void> {
    const html = await make().catch(() => undefined) // the page stays as it is; loaded anew it says why
    if (page.viewers.size === 0) return
    const hash = html === undefined ? page.hash : createHash('sha1').update(html).digest('base64')
    if (hash !== page.hash && html !== undefined) this.#tell(page, eventOf(html))
    else if (performance.now() - page.toldAt > quietest) this.#tell(page, nothingNew)
    page.hash = hash
    page.timer = setTimeout(() => void this.#round(page, make), interval)
  }

  #tell(page: Followed, event: string): void {
    page.toldAt = performance.now()
    for (const send of page.viewers) send(event)
  }
}

const eventOf = (html: string) =>
  `${html
    .split(/\r\n|\r|\n/)
    .map((line) => `data: ${line}\n`)
    .join('')}\n`

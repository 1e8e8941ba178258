import type { Child } from 'hono/jsx'
import { Head } from '../parts/head.js'
import type { Page } from '../parts/page.js'

interface SureOf {
  readonly title: string
  /** Where it was asked for. */
  readonly from: { readonly text: string; readonly href: string }
  /** What would become of it. */
  readonly what: Child
  readonly action: string
  /** What else the form has to say. */
  readonly fields?: Readonly<Record<string, string>>
  readonly label: string
  readonly isDangerous?: boolean
}

/** Asks whether something is meant, before it is done: its form says so by the field `sure`. */
export function surePage({ title, from, what, action, fields = {}, label, isDangerous = false }: SureOf): Page {
  const main = (
    <>
      <Head title={title} crumbs={[from]} />
      <section class="sheet padded stack">
        <p>{what}</p>
        <form method="post" action={action} class="actions">
          {Object.entries({ ...fields, sure: 'yes' }).map(([name, value]) => (
            <input type="hidden" name={name} value={value} />
          ))}
          <button type="submit" class={isDangerous ? 'danger main' : 'main'}>
            {label}
          </button>
          <a class="button" href={from.href}>
            Back
          </a>
        </form>
      </section>
    </>
  )
  return { title, main, live: false }
}

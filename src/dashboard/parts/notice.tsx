import type { Child } from 'hono/jsx'
import type { Typed } from '../typed.js'

/** A sentence that matters, and what to do. */
export function Notice(props: {
  readonly tone: 'good' | 'warn' | 'bad' | 'info'
  readonly title: Child
  readonly children?: Child
}) {
  const { tone, title, children } = props
  return (
    <section class={`notice ${tone}`} role={tone === 'bad' ? 'alert' : 'status'}>
      <strong>{title}</strong>
      {children !== undefined && <div class="small">{children}</div>}
    </section>
  )
}

/** What is shown where there is nothing, and why that may be. */
export function Empty({ title, children }: { readonly title: string; readonly children?: Child }) {
  return (
    <div class="empty">
      <strong>{title}</strong>
      {children}
    </div>
  )
}

/** Why a form was refused, where it was. */
export function Flaw({ of }: { readonly of: Typed | undefined }) {
  return of === undefined ? null : <Notice tone="bad" title={`Nothing was changed. ${of.error}`} />
}

import type { Child } from 'hono/jsx'

/** The head of a page: where it is, its name, and what may be done. */
export function Head(props: { readonly title: string; readonly crumbs?: readonly Crumb[]; readonly children?: Child }) {
  const { title, crumbs = [], children } = props
  return (
    <div class="head">
      <div>
        {crumbs.length > 0 && (
          <div class="crumbs">
            {crumbs.map(({ text, href }) => (
              <>
                <a href={href}>{text}</a>
                <span aria-hidden="true">/</span>
              </>
            ))}
          </div>
        )}
        <h1>{title}</h1>
      </div>
      {children}
    </div>
  )
}

interface Crumb {
  readonly text: string
  readonly href: string
}

import type { ListedTable } from '../options.js'
import { address } from '../site.js'
import { Head } from './head.js'
import type { Visit } from './page.js'

const tabs = [
  { path: [], text: 'Jobs' },
  { path: ['errors'], text: 'Errors' },
  { path: ['steering'], text: 'Pauses and limits' },
] as const

/** The head of a table's pages, with the way from one to the other. */
export function TableHead({ visit, table }: { readonly visit: Visit; readonly table: ListedTable }) {
  const here = visit.path.split('/')[3]
  return (
    <>
      <Head title={table.title} />
      <nav class="tabs" aria-label={`Pages of ${table.title}`}>
        {tabs.map(({ path, text }) => (
          <a
            href={address(visit.site, ['tables', table.name, ...path])}
            aria-current={here === path[0] ? 'page' : undefined}
          >
            {text}
          </a>
        ))}
      </nav>
    </>
  )
}

/** `/` goes to the filter, as in other tools. */
export function focusFilterBySlash(): void {
  document.addEventListener('keydown', (event) => {
    if (event.key !== '/' || event.ctrlKey || event.metaKey || event.altKey || isTyping(event.target)) return
    const filter = document.querySelector<HTMLInputElement>('[data-filter]')
    if (filter === null) return
    event.preventDefault()
    filter.focus()
    filter.select()
  })
}

const isTyping = (target: EventTarget | null) =>
  target instanceof HTMLElement && target.closest('input, textarea, select, [contenteditable]') !== null

/** The box at the head of a list marks all of its page. */
export function selectAllByOne(): void {
  document.addEventListener('change', ({ target }) => {
    if (!(target instanceof HTMLInputElement) || target.dataset.all === undefined) return
    for (const box of document.querySelectorAll<HTMLInputElement>(`input[name="${target.dataset.all}"]`))
      box.checked = target.checked
  })
}

/** How many jobs of a list are marked; and where that is its whole page, how one means all of its pages. */
export function countMarked(): void {
  document.addEventListener('change', ({ target }) => {
    const told = target instanceof HTMLInputElement ? target.form?.querySelector<HTMLElement>('[data-marked]') : null
    if (!told) return
    const boxes = [...document.querySelectorAll<HTMLInputElement>('tbody input[name="id"]')]
    const marked = boxes.filter(({ checked }) => checked).length
    const isPage = marked === boxes.length
    told.textContent =
      marked === 0
        ? ''
        : `${marked} marked${isPage ? `; for those of other pages choose "${told.dataset.marked}"` : ''}`
  })
}

/** A button copies the text beside it. Browsers let pages do that over HTTPS or from the machine itself: elsewhere the button is not shown. */
export function copyByButton(): void {
  if (!window.isSecureContext) return
  document.documentElement.classList.add('copies')
  document.addEventListener('click', async ({ target }) => {
    if (!(target instanceof HTMLElement) || target.dataset.copy === undefined) return
    const text = target.parentElement?.querySelector('pre')?.textContent ?? ''
    try {
      await navigator.clipboard.writeText(text)
      target.textContent = 'Copied'
    } catch {
      target.textContent = 'Not copied' // the browser asked, and was told no
    }
  })
}

import { Idiomorph } from 'idiomorph'

/** Follows what the server sends of a page: its main part, whenever it has changed. Whoever looks elsewhere costs nothing. */
export function followPage(): void {
  const main = document.querySelector('main')
  const state = document.querySelector<HTMLElement>('.live')
  const address = main?.dataset.live
  if (!main || address === undefined) return
  let source: EventSource | undefined
  const show = (name: 'on' | 'away') => {
    if (state === null) return
    state.dataset.state = name
    state.textContent = name === 'on' ? 'Live' : 'Reconnecting'
  }
  const follow = () => {
    if (document.hidden) return source?.close()
    source?.close()
    source = new EventSource(address)
    source.onopen = () => show('on')
    source.onerror = () => show('away')
    source.onmessage = ({ data }) => morph(main, data)
  }
  document.addEventListener('visibilitychange', follow)
  follow()
}

/** What the viewer has opened, chosen or is typing stays as it is. */
function morph(main: HTMLElement, html: string): void {
  Idiomorph.morph(main, html, {
    morphStyle: 'innerHTML',
    ignoreActiveValue: true,
    callbacks: {
      beforeAttributeUpdated: (name: string, node: Element) =>
        !(name === 'open' || name === 'checked' || (name === 'value' && isTyped(node))),
      beforeNodeMorphed: (old: Node) => !(old instanceof HTMLFormElement && isInUse(old)),
    },
  })
}

/** What a row, a button or a meter has for its value changes with what it shows: else a form would send what was there before. */
function isTyped(node: Element): boolean {
  if (node instanceof HTMLInputElement) return !['hidden', 'checkbox', 'radio', 'submit'].includes(node.type)
  return node instanceof HTMLTextAreaElement
}

function isInUse(form: HTMLFormElement): boolean {
  if (form.contains(document.activeElement)) return true
  return [...form.elements].some((field) => {
    if (field instanceof HTMLInputElement)
      return field.type === 'checkbox' ? field.checked !== field.defaultChecked : field.value !== field.defaultValue
    return field instanceof HTMLTextAreaElement && field.value !== field.defaultValue
  })
}

const uuid = /^\{?[0-9a-f]{8}-?(?:[0-9a-f]{4}-?){3}[0-9a-f]{12}\}?$/i

/** An id by which two that are the same are compared; a uuid may have been given in another form. */
export function idText(id: unknown): string {
  const text = String(id)
  return uuid.test(text) ? text.toLowerCase().replaceAll(/[-{}]/g, '') : text
}

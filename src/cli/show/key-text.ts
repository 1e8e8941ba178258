/** A key as filters write it: `tenant_id=7, region=eu`. */
export function keyText(key: Readonly<Record<string, unknown>>): string {
  return Object.entries(key)
    .map(([name, value]) => `${name}=${String(value)}`)
    .join(', ')
}

/** 11586 → 11,586 */
export function count(number: number | bigint): string {
  return new Intl.NumberFormat('en', { maximumFractionDigits: 0 }).format(number)
}

/** 0.5 → ` 50 %` */
export function percent(share: number): string {
  return `${Math.floor(share * 100)} %`.padStart(5)
}

/** 3.14159 → `3.1 s` */
export function seconds(time: number): string {
  return `${time.toFixed(1)} s`
}

/** The first line of an error: what a person needs of it. */
export function firstLine(text: string): string {
  return text.split('\n', 1)[0] ?? ''
}

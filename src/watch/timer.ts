/** What setTimeout can count; beyond it fires at once. */
const longestTimeout = 2 ** 31 - 1

export interface Timer {
  cancel(): void
}

/** Calls back once after so many milliseconds, however many: also weeks. Infinity means never. */
export function after(milliseconds: number, callback: () => void): Timer {
  if (milliseconds === Number.POSITIVE_INFINITY) return { cancel: () => {} }
  const end = performance.now() + milliseconds
  let handle: ReturnType<typeof setTimeout>
  const arm = () => {
    const left = end - performance.now()
    handle = left > longestTimeout ? setTimeout(arm, longestTimeout) : setTimeout(callback, left)
  }
  arm()
  return { cancel: () => clearTimeout(handle) }
}

/** What was typed into a form that was refused, and why. */
export interface Typed {
  readonly form: URLSearchParams
  readonly error: string
}

/** What a field had when its form was refused. */
export const typedIn = (typed: Typed | undefined, name: string): string | undefined =>
  typed?.form.get(name) ?? undefined

/** Made by tools/build/dashboard.ts. */
declare module 'dashboard:style' {
  const text: string
  export default text
}
declare module 'dashboard:script' {
  const text: string
  export default text
}

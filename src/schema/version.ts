/** The version of this package, as package.json has it: to read that would be another thing to each bundler. */
export const packageVersion = '0.1.0'

import type { Matching } from '../../observe/count-matching.js'

/** `65`, or `10,000 or more` where not all jobs were looked at. */
export const matchingText = ({ count, isAll }: Matching): string =>
  `${count.toLocaleString('en')}${isAll ? '' : ' or more'}`

/** What masks and cuts in tests: as by default, with previews of a length of their own. */
import { createKeeper, defaultContent, type Keeper } from '../../src/telemetry/content.ts'

export function keeperOf(previewLength: number): Keeper {
  return createKeeper({ rule: { ...defaultContent, previewLength } })
}

/** What masks and cuts in tests: as by default, with previews of a length of their own. */
import { defaultContent } from '../../src/telemetry/content.ts'
import { createKeeper, type Keeper } from '../../src/telemetry/keeper.ts'

export function keeperOf(previewLength: number): Keeper {
  return createKeeper({ rule: { ...defaultContent, previewLength } })
}

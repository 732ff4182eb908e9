/** What goes when from a store that has ages of its own, for the page Health. */
import type { HealthLine, HealthSection } from '../dashboard/health-view.ts'
import type { AnyStore, KeptAge } from '../store/store.ts'

const mend =
  'hub.age and hub.size rule a SQLite file. Here the tables’ own age (TTL) does: change it by KEEP_… in the stack’s .env and ' +
  '`claude-otel stack up`, or in ClickHouse by ALTER TABLE … MODIFY TTL.'

/** Nothing of one that is bounded by the settings. */
export async function storeHealth(store: AnyStore): Promise<readonly HealthSection[]> {
  const ages = await store.ages?.()
  if (ages === undefined) return []
  const settings: HealthLine = { label: 'hub.age, hub.size', value: 'not used', level: 'ok', hint: mend }
  return [{ title: 'Kept in ClickHouse', lines: [...ages.map(ageLine), settings] }]
}

function ageLine({ what, age }: KeptAge): HealthLine {
  if (age !== undefined) return { label: what, value: age, level: 'ok' }
  // Usage is small, and stays in SQLite too.
  return { label: what, value: 'for ever', level: what === 'usage' ? 'ok' : 'warning' }
}

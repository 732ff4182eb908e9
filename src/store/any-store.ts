/** A store by whatever it is called: a SQLite file, or a ClickHouse by its URL. */
import { clickhousePlace } from './clickhouse-place.ts'
import { type AnyStore, openStore, type StoreOptions } from './store.ts'

/** Rejects with a Failure that names what would be right, and tells no password. */
export async function openAnyStore(where: string, options: StoreOptions = {}): Promise<AnyStore> {
  const place = clickhousePlace(where)
  if (place === undefined) return openStore(where, options)
  return (await import('./clickhouse.ts')).openClickHouseStore(place, options)
}

/**
 * Records in full, many in one packed block: neighbours say nearly the same, so that together they take a tenth of what they take
 * alone, and what is not written costs no time. The id of a record's row says where it is: the block's number, and its place there.
 */
import type { Database } from 'bun:sqlite'

/** What is read to have one of them: a millisecond of work at most. */
const recordsPerBlock = 256
const textPerBlock = 256 * 1024
/** A block goes as one when its time has come: so near to one another have its records ended. */
const blockMicro = 3_600_000_000
/** Those that were read last are kept unpacked. */
const unpackedBlocks = 8

export interface Kind<Item> {
  /** Writes rows for those that are not known yet, with ids from this one on; says how many that were. */
  put(items: readonly Item[], firstId: number): number
  /** What is kept of it. */
  pack(item: Item): object
  /** Microseconds since the Unix epoch. */
  endOf(item: Item): number
}

export class Blocks {
  private readonly statements
  private readonly unpacked = new Map<number, readonly object[]>()

  constructor(database: Database) {
    this.statements = {
      endedBefore: database.query<{ id: number }, [number, number]>(
        'SELECT id FROM block WHERE last_time < ? ORDER BY last_time LIMIT ?',
      ),
      remove: database.query<unknown, [number]>('DELETE FROM block WHERE id = ?'),
      next: database.query<{ id: number }, []>('SELECT coalesce(max(id), 0) + 1 AS id FROM block'),
      insert: database.query<unknown, [number, number, Uint8Array]>(
        'INSERT INTO block (id, last_time, data) VALUES (?, ?, ?)',
      ),
      data: database.query<{ data: Uint8Array }, [number]>('SELECT data FROM block WHERE id = ?'),
    }
  }

  /** To be called within a transaction. */
  write<Item>(items: readonly Item[], kind: Kind<Item>): void {
    for (let from = 0; from < items.length; ) from = this.writeBlock(items, from, kind)
  }

  /** What was packed, by the id of its row. Throws for a block that is gone or damaged. */
  read(id: number): object {
    const record = this.recordsOf(Math.floor(id / recordsPerBlock))[id % recordsPerBlock]
    if (record === undefined) throw new Error(`no block has record ${id}`)
    return record
  }

  /** Removes some blocks that ended before, the oldest first, and says the ids of their rows. */
  sweep(beforeUnixMicro: number, limit: number, onGone: (firstId: number, endId: number) => void): void {
    for (const { id } of this.statements.endedBefore.all(beforeUnixMicro, limit)) {
      onGone(id * recordsPerBlock, (id + 1) * recordsPerBlock)
      this.statements.remove.run(id)
    }
    this.forget()
  }

  /** What was read may not be what there is: a transaction was undone. */
  forget(): void {
    this.unpacked.clear()
  }

  /** Gives the index of the first item that did not belong to it. One that is known already has no row, and its place is empty talk. */
  private writeBlock<Item>(items: readonly Item[], from: number, { put, pack, endOf }: Kind<Item>): number {
    const texts: string[] = []
    let length = 0
    let [first, last] = [Number.POSITIVE_INFINITY, 0]
    for (const item of items.slice(from, from + recordsPerBlock)) {
      const end = endOf(item)
      const isFull = length >= textPerBlock || Math.max(last, end) - Math.min(first, end) > blockMicro
      if (isFull && texts.length > 0) break
      const text = JSON.stringify(pack(item))
      texts.push(text)
      length += text.length
      first = Math.min(first, end)
      last = Math.max(last, end)
    }
    const to = from + texts.length
    const block = this.statements.next.get()?.id ?? 1
    if (put(items.slice(from, to), block * recordsPerBlock) > 0)
      this.statements.insert.run(block, last, Bun.zstdCompressSync(`[${texts.join(',')}]`, { level: 1 }))
    return to
  }

  private recordsOf(block: number): readonly object[] {
    const known = this.unpacked.get(block)
    if (known !== undefined) return known
    const row = this.statements.data.get(block)
    if (row === null) throw new Error(`there is no block ${block}`)
    const records: readonly object[] = JSON.parse(Bun.zstdDecompressSync(row.data).toString())
    this.unpacked.set(block, records)
    for (const oldest of this.unpacked.keys()) {
      if (this.unpacked.size <= unpackedBlocks) break
      this.unpacked.delete(oldest)
    }
    return records
  }
}

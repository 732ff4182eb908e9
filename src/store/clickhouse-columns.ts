/** Types of columns that many tables in ClickHouse share, packed as the Collector's exporter packs them. */

export const map = 'Map(LowCardinality(String), String) CODEC(ZSTD(1))'
export const text = 'String CODEC(ZSTD(1))'
export const word = 'LowCardinality(String) CODEC(ZSTD(1))'
export const moment = 'DateTime64(9) CODEC(Delta(8), ZSTD(1))'

/**
 * Of tables by days: one that is over becomes one part, of which nothing has to be merged when it is read with FINAL; the client and the
 * users of a stack say that a key is never in two days (`do_not_merge_across_partitions_select_final`), since its time is a part of it.
 */
export const settledDays =
  'SETTINGS ttl_only_drop_parts = 1, min_age_to_force_merge_seconds = 3600, min_age_to_force_merge_on_partition_only = 1'

/** Types of columns that many tables in ClickHouse share, packed as the Collector's exporter packs them. */

export const map = 'Map(LowCardinality(String), String) CODEC(ZSTD(1))'
export const text = 'String CODEC(ZSTD(1))'
export const word = 'LowCardinality(String) CODEC(ZSTD(1))'
export const moment = 'DateTime64(9) CODEC(Delta(8), ZSTD(1))'

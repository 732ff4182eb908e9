/** What Grafana's ClickHouse plugin makes of the macros in a query: the last days, in steps of a minute for each. */
export function expandMacros(query: string, days = 1): string {
  const [from, to] = [`toDateTime(now() - ${days * 86_400})`, 'toDateTime(now() + 60)']
  return query
    .replaceAll(/\$__timeFilter\((\w+)\)/g, (_, column) => `${column} >= ${from} AND ${column} <= ${to}`)
    .replaceAll(
      /\$__timeInterval\((\w+)\)/g,
      (_, column) => `toStartOfInterval(toDateTime(${column}), INTERVAL ${days * 60} second)`,
    )
    .replaceAll('$__fromTime', from)
    .replaceAll('$__toTime', to)
}

/** A file of SQL as ClickHouse's own client takes it apart: a statement ends where a line ends with a semicolon. */
export function statementsOf(sql: string): readonly string[] {
  return sql
    .replaceAll(/^\s*--.*$/gm, '')
    .split(/;\n/)
    .map((each) => each.trim())
    .filter((each) => each !== '')
}

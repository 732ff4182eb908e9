/**
 * ClickHouse's own engine (chdb) behind as much of ClickHouse's HTTP interface as its official client and the Collector's exporter
 * use. One query at a time, one folder of data.
 *
 *   bun server.ts <node_modules> <folder> <port>      the password is $ENGINE_PASSWORD, of any user
 */
import { rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

interface Result {
  bytes(): Uint8Array
  text(): string
}

interface Session {
  queryAsync(query: string, options: { format: string }): Promise<Result>
}

/** A query as it came: what of it is SQL, what is data. */
interface Asked {
  readonly sql: string
  readonly data: Uint8Array | undefined
}

const [modules = '', folder = '', port = '0'] = process.argv.slice(2)
const password = process.env.ENGINE_PASSWORD ?? ''
const chdb = (await import(join(modules, 'chdb/index.js'))) as { Session: new (folder: string) => Session }
const session = new chdb.Session(join(folder, 'data'))
await session.queryAsync('CREATE DATABASE IF NOT EXISTS otel', { format: 'TSV' })

/** Parameters of the URL that are no settings. */
const notSettings = new Set([
  'query',
  'database',
  'user',
  'password',
  'default_format',
  'query_id',
  'session_id',
  'role',
  'wait_end_of_query',
  'compress',
  'decompress',
  'client_protocol_version',
  'send_progress_in_http_headers',
  'http_headers_progress_interval_ms',
  'cancel_http_readonly_queries_on_client_close',
])

let last: Promise<unknown> = Promise.resolve()
let inUse = ''
/** As the last query had them. */
const settings = new Map<string, string>()

const server = Bun.serve({
  hostname: '127.0.0.1',
  port: Number(port),
  idleTimeout: 0,
  maxRequestBodySize: 1024 * 1024 * 1024,
  async fetch(request) {
    const url = new URL(request.url)
    if (url.pathname === '/ping') return new Response('Ok.\n')
    if (!knows(request, url.searchParams))
      return failure('Code: 516. DB::Exception: otel: Authentication failed. (AUTHENTICATION_FAILED)', 403)
    const asked = readQuery(url.searchParams.get('query') ?? '', await readBody(request))
    const turn = last.then(() => answer(asked, url.searchParams))
    last = turn.catch(() => {})
    return turn.catch((error) => failure(String(error.message ?? error), 500))
  },
})
console.log(JSON.stringify({ port: server.port }))
void endWithStarter()

/** Whoever started it holds its stdin. */
async function endWithStarter(): Promise<void> {
  await Bun.stdin.text()
  process.exit()
}

function knows(request: Request, params: URLSearchParams): boolean {
  const [, basic] = /^Basic (.+)$/.exec(request.headers.get('authorization') ?? '') ?? []
  const given = basic === undefined ? request.headers.get('x-clickhouse-key') : atob(basic).split(':')[1]
  return (given ?? params.get('password')) === password
}

async function readBody(request: Request): Promise<Uint8Array> {
  const bytes = await request.bytes()
  return request.headers.get('content-encoding') === 'gzip' ? Bun.gunzipSync(new Uint8Array(bytes)) : bytes
}

/** Data follows an INSERT's format, in the body or behind a line break. */
function readQuery(query: string, body: Uint8Array): Asked {
  if (/^\s*INSERT\b/i.test(query)) return { sql: query, data: body.length === 0 ? undefined : body }
  const text = new TextDecoder().decode(body)
  const [head] = /^\s*INSERT\s+INTO\s[^;]*?\bFORMAT\s+\w+\s*?\n/i.exec(text) ?? []
  if (head === undefined) return { sql: `${query}${text}`, data: undefined }
  return { sql: head, data: new TextEncoder().encode(text.slice(head.length)) }
}

async function answer({ sql, data }: Asked, params: URLSearchParams): Promise<Response> {
  const run = (query: string, format: string) => session.queryAsync(query, { format })
  const database = params.get('database') || 'default'
  if (database !== inUse) await run(`USE ${database}`, 'TSV')
  inUse = database
  await set(new Map([...params].filter(([name]) => !notSettings.has(name))), run)
  if (data !== undefined) {
    await insert(sql, data, run)
    return respond(new Uint8Array(), 'TSV')
  }
  const format = params.get('default_format') ?? 'TabSeparated'
  if (format === 'Native' && !/^\s*(CREATE|ALTER|DROP|INSERT|SET|TRUNCATE|OPTIMIZE)/i.test(sql)) {
    const result = await run(sql, 'JSONCompactEachRowWithNamesAndTypes')
    return respond(encodeNative(result.text()), 'Native')
  }
  return respond((await run(sql, format)).bytes(), format)
}

/** Nothing of what the query before had stays, but for parameters, which only who names them sees. */
async function set(wanted: ReadonlyMap<string, string>, run: (query: string, format: string) => Promise<Result>) {
  for (const name of settings.keys()) {
    if (wanted.has(name) || name.startsWith('param_')) continue
    await run(`SET ${name} = DEFAULT`, 'TSV')
    settings.delete(name)
  }
  for (const [name, value] of wanted) {
    if (settings.get(name) === value) continue
    await run(`SET ${name} = ${quote(value)}`, 'TSV')
    settings.set(name, value)
  }
}

async function insert(sql: string, data: Uint8Array, run: (query: string, format: string) => Promise<Result>) {
  const file = join(folder, 'insert.data')
  writeFileSync(file, data)
  try {
    const parts = /^(.*?)\s*(\bSETTINGS\b.*?)?(?:\bVALUES|\bFORMAT\s+(\w+))\s*$/is.exec(sql) ?? []
    const [, head = '', settings = '', format = 'Values'] = parts
    await run(`${head} FROM INFILE ${quote(file)} ${settings} FORMAT ${format}`, 'TSV')
  } finally {
    rmSync(file)
  }
}

/** A block as it goes to clients of the native protocol's revisions: words and small numbers, which is all that they ask for. */
function encodeNative(lines: string): Uint8Array {
  const [names = [], types = [], ...rows] = lines.split('\n').flatMap((line) => (line === '' ? [] : [JSON.parse(line)]))
  const out: number[] = [1, 0, 2, 255, 255, 255, 255, 0]
  putVarint(out, names.length)
  putVarint(out, rows.length)
  names.forEach((name: string, column: number) => {
    putText(out, name)
    putText(out, types[column])
    out.push(0)
    for (const row of rows) {
      if (types[column] === 'String') putText(out, row[column])
      else if (types[column] === 'UInt32') out.push(...new Uint8Array(new Uint32Array([row[column]]).buffer))
      else throw new Error(`Code: 48. DB::Exception: ${types[column]} is not encoded here`)
    }
  })
  return new Uint8Array(out)
}

function putVarint(out: number[], value: number): void {
  for (let rest = value; ; rest = Math.floor(rest / 128)) {
    if (rest < 128) return void out.push(rest)
    out.push((rest % 128) + 128)
  }
}

function putText(out: number[], text: string): void {
  const bytes = new TextEncoder().encode(text)
  putVarint(out, bytes.length)
  out.push(...bytes)
}

function quote(text: string): string {
  return `'${text.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`
}

function respond(bytes: Uint8Array, format: string): Response {
  return new Response(new Uint8Array(bytes), {
    headers: {
      'x-clickhouse-format': format,
      'x-clickhouse-summary': '{}',
      'x-clickhouse-server-display-name': 'chdb',
    },
  })
}

function failure(message: string, status: number): Response {
  const code = /Code: (\d+)/.exec(message)?.[1] ?? '1000'
  return new Response(`${message}\n`, { status, headers: { 'x-clickhouse-exception-code': code } })
}

/** What a browser loads: the page, its script, its style. Part of this program; nothing comes from the network. */
import { createHash } from 'node:crypto'
import html from './page/index.html' with { type: 'text' }
import { bundleScript, bundleStyle } from './page-bundle.ts' with { type: 'macro' }

interface Asset {
  readonly type: string
  readonly body: string
  readonly etag: string
}

const assets: ReadonlyMap<string, Asset> = new Map([
  ['/', asset('text/html', text(html))],
  ['/page.js', asset('text/javascript', bundleScript())],
  ['/page.css', asset('text/css', bundleStyle())],
])

/** 304 to whoever has it already; undefined for what is none. */
export function answerAsset(path: string, ifNoneMatch: string | null): Response | undefined {
  const found = assets.get(path)
  if (found === undefined) return undefined
  const headers = { 'content-type': `${found.type}; charset=utf-8`, etag: found.etag, 'cache-control': 'no-cache' }
  return ifNoneMatch === found.etag
    ? new Response(null, { status: 304, headers })
    : new Response(found.body, { headers })
}

/** The types take every import of HTML for a page of Bun's own server; this one is a text. */
function text(html: unknown): string {
  return String(html)
}

function asset(type: string, body: string): Asset {
  return { type, body, etag: `"${createHash('sha256').update(body).digest('base64url').slice(0, 22)}"` }
}

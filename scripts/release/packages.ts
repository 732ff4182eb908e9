/** What the executable is made of besides our own sources: packages of npm as package-lock.json pins them, and Bun. */
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import packageJson from '../../package.json' with { type: 'json' }
import lock from '../../package-lock.json' with { type: 'json' }

const ROOT = join(import.meta.dir, '../..')
const LICENSE_FILE = /^(licen[cs]e|copying|notice)/i

export interface BundledPackage {
  readonly name: string
  readonly version: string
  /** An SPDX identifier or expression. */
  readonly license: string
  /** The SHA-512 of its tarball, in hexadecimal digits. */
  readonly sha512: string
  /** Its licence, and its notice if it has one, as they lie in the package. */
  readonly text: string
}

interface Locked {
  readonly version?: string
  readonly license?: string
  readonly integrity?: string
  readonly dev?: boolean
  readonly link?: boolean
}

/** Installed because the Agent SDK names it as a peer, or such a peer needs it; nothing of it is in the executable. */
const unused: ReadonlySet<string> = new Set(['@anthropic-ai/sdk', 'standardwebhooks'])

/** Every package that `dependencies` leads to, by name; throws if one lies there without version, licence or text. */
export function bundledPackages(): BundledPackage[] {
  return (
    Object.entries(lock.packages as Readonly<Record<string, Locked>>)
      // Links lead to folders of ours, which stand in the place of packages.
      .filter(([path, { dev, link }]) => path.startsWith('node_modules/') && dev !== true && link !== true)
      .filter(([path]) => !unused.has(nameAt(path)))
      .map(([path, locked]) => describe(path, locked))
      .sort((left, right) => compare(`${left.name}@${left.version}`, `${right.name}@${right.version}`))
  )
}

function describe(path: string, { version, license, integrity }: Locked): BundledPackage {
  const folder = join(ROOT, path)
  const files = readdirSync(folder).filter((file) => LICENSE_FILE.test(file))
  const text = files
    .sort()
    .map((file) => readFileSync(join(folder, file), 'utf8').replaceAll('\r\n', '\n').trim())
    .join('\n\n')
  if (!version || !license || !integrity?.startsWith('sha512-') || text === '') throw new Error(`${path}: no licence`)
  const name = nameAt(path)
  const sha512 = Buffer.from(integrity.slice('sha512-'.length), 'base64').toString('hex')
  return { name, version, license, sha512, text }
}

function nameAt(path: string): string {
  return path.replace(/^.*node_modules\//, '')
}

function compare(left: string, right: string): number {
  return left < right ? -1 : left > right ? 1 : 0
}

/** The runtime, which is the greater part of every executable. */
export const bun = {
  version: packageJson.devDependencies.bun,
  license: 'MIT',
  source: `https://github.com/oven-sh/bun/tree/bun-v${packageJson.devDependencies.bun}`,
  licenseList: `https://github.com/oven-sh/bun/blob/bun-v${packageJson.devDependencies.bun}/LICENSE.md`,
} as const

/** What Bun says that it links statically, with SPDX expressions; `LicenseRef-` where the library has several. */
export const bunLibraries: readonly (readonly [name: string, license: string, source: string])[] = [
  ['JavaScriptCore (WebKit)', 'LGPL-2.0-or-later', 'https://github.com/oven-sh/WebKit'],
  ['tinycc', 'LGPL-2.1-or-later', 'https://github.com/tinycc/tinycc'],
  ['boringssl', 'LicenseRef-boringssl', 'https://boringssl.googlesource.com/boringssl'],
  ['brotli', 'MIT', 'https://github.com/google/brotli'],
  ['c-ares', 'MIT', 'https://github.com/c-ares/c-ares'],
  ['highway', 'Apache-2.0', 'https://github.com/google/highway'],
  ['icu', 'Unicode-3.0', 'https://github.com/unicode-org/icu'],
  ['libarchive', 'LicenseRef-libarchive', 'https://github.com/libarchive/libarchive'],
  ['libbase64', 'BSD-2-Clause', 'https://github.com/aklomp/base64'],
  ['libc++abi (parts)', 'Apache-2.0 WITH LLVM-exception', 'https://github.com/llvm/llvm-project'],
  ['libdeflate', 'MIT', 'https://github.com/ebiggers/libdeflate'],
  ['libjpeg-turbo', 'BSD-3-Clause AND IJG AND Zlib', 'https://github.com/libjpeg-turbo/libjpeg-turbo'],
  ['libspng', 'BSD-2-Clause', 'https://github.com/randy408/libspng'],
  ['libuv (Windows)', 'MIT', 'https://github.com/libuv/libuv'],
  ['libwebp', 'BSD-3-Clause', 'https://github.com/webmproject/libwebp'],
  ['lol-html', 'BSD-3-Clause', 'https://github.com/cloudflare/lol-html'],
  ['ls-hpack', 'MIT', 'https://github.com/litespeedtech/ls-hpack'],
  ['ls-qpack', 'MIT', 'https://github.com/litespeedtech/ls-qpack'],
  ['lsquic', 'MIT AND BSD-3-Clause', 'https://github.com/litespeedtech/lsquic'],
  ['mimalloc', 'MIT', 'https://github.com/microsoft/mimalloc'],
  ['picohttpparser', 'MIT', 'https://github.com/h2o/picohttpparser'],
  ['simdutf', 'Apache-2.0', 'https://github.com/simdutf/simdutf'],
  ['tigerbeetle (parts)', 'Apache-2.0', 'https://github.com/tigerbeetle/tigerbeetle'],
  ['uSockets', 'Apache-2.0', 'https://github.com/uNetworking/uSockets'],
  ['uWebSockets', 'Apache-2.0', 'https://github.com/uNetworking/uWebSockets'],
  ['uucode', 'MIT', 'https://github.com/jacobsandlund/uucode'],
  ['zlib-ng', 'Zlib', 'https://github.com/zlib-ng/zlib-ng'],
  ['zstd', 'BSD-3-Clause', 'https://github.com/facebook/zstd'],
]

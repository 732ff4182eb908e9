/** The table of what a release is built for. */

export type ExecutableFormat = 'ELF' | 'Mach-O' | 'PE'

export interface Target {
  /** As in the names of archives; with `bun-` before it, as Bun names it. */
  readonly name: string
  readonly format: ExecutableFormat
  readonly machine: 'x64' | 'arm64'
  /** The loader that an ELF executable asks for. */
  readonly loader?: string
  /** What executable and archive may weigh at most, in MB of a million bytes: a few percent over what they do. */
  readonly gates: { readonly executable: number; readonly archive: number }
}

/**
 * There is no extra build for old processors: Bun's `-baseline` packages hold the same bytes as the others,
 * so these run wherever Bun runs at all.
 */
export const targets: readonly Target[] = [
  { name: 'darwin-arm64', format: 'Mach-O', machine: 'arm64', gates: { executable: 102, archive: 46 } },
  { name: 'darwin-x64', format: 'Mach-O', machine: 'x64', gates: { executable: 111, archive: 49 } },
  {
    name: 'linux-arm64',
    format: 'ELF',
    machine: 'arm64',
    loader: '/lib/ld-linux-aarch64.so.1',
    gates: { executable: 123, archive: 58 },
  },
  {
    name: 'linux-arm64-musl',
    format: 'ELF',
    machine: 'arm64',
    loader: '/lib/ld-musl-aarch64.so.1',
    gates: { executable: 115, archive: 55 },
  },
  {
    name: 'linux-x64',
    format: 'ELF',
    machine: 'x64',
    loader: '/lib64/ld-linux-x86-64.so.2',
    gates: { executable: 123, archive: 58 },
  },
  {
    name: 'linux-x64-musl',
    format: 'ELF',
    machine: 'x64',
    loader: '/lib/ld-musl-x86_64.so.1',
    gates: { executable: 116, archive: 55 },
  },
  { name: 'windows-x64', format: 'PE', machine: 'x64', gates: { executable: 129, archive: 61 } },
]

/** The name of the executable of a target. It goes into its bytes, so it is the same for every release. */
export function executableName(target: Target): string {
  return target.format === 'PE' ? 'claude-otel.exe' : 'claude-otel'
}

/** The archive of a target: it holds one folder of the same name without the ending. */
export function archiveName(target: Target, version: string): string {
  return `claude-otel-${version}-${target.name}${target.format === 'PE' ? '.zip' : '.tar.gz'}`
}

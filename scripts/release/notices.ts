/** The text of THIRD-PARTY-NOTICES: the licences of everything in the executable that is not ours. */
import { type BundledPackage, bun, bundledPackages, bunLibraries } from './packages.ts'

const RULE = '='.repeat(80)

/** Packages with the same licence text stand together above it. */
export function renderNotices(): string {
  const byText = Map.groupBy(bundledPackages(), ({ text }) => text)
  const sections = [...byText].map(([text, packages]) => `${packages.map(titleOf).join('\n')}\n\n${text}`)
  return `${['claude-otel is made with the work of others, under these licences.', bunNotice(), ...sections].join(`\n\n${RULE}\n\n`)}\n`
}

function titleOf({ name, version, license }: BundledPackage): string {
  return `${name} ${version} (${license})`
}

function bunNotice(): string {
  const width = Math.max(...bunLibraries.map(([name]) => name.length))
  return `Bun ${bun.version} (${bun.license}), the runtime, unchanged as its makers publish it
  sources: ${bun.source}
  its licences in full: ${bun.licenseList}

Bun links these libraries statically:

${bunLibraries.map(([name, license, source]) => `  ${name.padEnd(width)}  ${license}\n  ${''.padEnd(width)}  ${source}`).join('\n')}

It also holds polyfills of Node's modules, all under the MIT License, which its list of licences names.

JavaScriptCore and tinycc are under the GNU Lesser General Public License. You may change them and link them anew: build
Bun from its sources with the changed library, as its LICENSE.md tells, then build claude-otel with that Bun
(bun build --compile --compile-executable-path=<your bun>, with the flags of scripts/build.ts in our sources).`
}

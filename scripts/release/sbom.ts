/** The bill of materials of a release, as CycloneDX JSON. npm's own leaves out a package that tests use directly too. */
import { createHash } from 'node:crypto'
import packageJson from '../../package.json' with { type: 'json' }
import { type BundledPackage, bun, bundledPackages, bunLibraries } from './packages.ts'
import { repositoryUrl } from './repository.ts'

/** Says the same for the same sources: `time`, in seconds since 1970, is the commit's. */
export function renderSbom(commit: string, time: number): string {
  const { name, version, description, license } = packageJson
  const ref = `pkg:github/${new URL(repositoryUrl).pathname.slice(1)}@v${version}`
  const packages = bundledPackages()
  const components = [...packages.map(npmComponent), bunComponent()]
  const bom = {
    $schema: 'http://cyclonedx.org/schema/bom-1.6.schema.json',
    bomFormat: 'CycloneDX',
    specVersion: '1.6',
    serialNumber: `urn:uuid:${uuidOf(`${ref} ${commit}`)}`,
    version: 1,
    metadata: {
      timestamp: new Date(time * 1000).toISOString(),
      lifecycles: [{ phase: 'build' }],
      component: {
        type: 'application',
        'bom-ref': ref,
        name,
        version,
        description,
        purl: ref,
        licenses: licensesOf(license),
        externalReferences: [{ type: 'vcs', url: repositoryUrl }],
        properties: [{ name: 'claude-otel:commit', value: commit }],
      },
    },
    components,
    dependencies: [{ ref, dependsOn: components.map((component) => component['bom-ref']) }],
  }
  return `${JSON.stringify(bom, undefined, 2)}\n`
}

function npmComponent({ name, version, license, sha512 }: BundledPackage) {
  const purl = `pkg:npm/${name.replace('@', '%40')}@${version}`
  return {
    type: 'library',
    'bom-ref': purl,
    name,
    version,
    purl,
    hashes: [{ alg: 'SHA-512', content: sha512 }],
    licenses: licensesOf(license),
  }
}

function bunComponent() {
  const purl = `pkg:github/oven-sh/bun@bun-v${bun.version}`
  return {
    type: 'framework',
    'bom-ref': purl,
    name: 'bun',
    version: bun.version,
    purl,
    licenses: licensesOf(bun.license),
    externalReferences: [{ type: 'license', url: bun.licenseList }],
    components: bunLibraries.map(([name, license, url]) => ({
      type: 'library',
      'bom-ref': `${purl}#${encodeURIComponent(name)}`,
      name,
      licenses: licensesOf(license),
      externalReferences: [{ type: 'vcs', url }],
    })),
  }
}

function licensesOf(license: string) {
  if (/^(?:LicenseRef-|SEE LICENSE )/.test(license)) return [{ license: { name: license } }]
  return / (AND|OR|WITH) /.test(license) ? [{ expression: license }] : [{ license: { id: license } }]
}

/** A UUID of version 8, whose bits are those of a digest of the text. */
function uuidOf(text: string): string {
  const digits = createHash('sha256').update(text).digest('hex')
  const parts = [digits.slice(0, 8), digits.slice(8, 12), `8${digits.slice(13, 16)}`, `8${digits.slice(17, 20)}`]
  return [...parts, digits.slice(20, 32)].join('-')
}

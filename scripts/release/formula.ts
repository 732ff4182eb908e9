/** The Homebrew formula of a release: prebuilt executables, their checksums, and a test that needs no network. */
import packageJson from '../../package.json' with { type: 'json' }
import { releasesUrl, repositoryUrl } from './repository.ts'
import { archiveName, type Target, targets } from './targets.ts'

/** Homebrew wants at most 80 characters, no name of the formula and no full stop. */
const DESCRIPTION = 'Run Claude Code unchanged and tell what it does as OpenTelemetry'

/** Homebrew's words for systems and processors; it has glibc of its own, so musl is none of its concern. */
const SYSTEMS = [
  ['on_macos', 'darwin'],
  ['on_linux', 'linux'],
] as const
const PROCESSORS = [
  ['on_arm', 'arm64'],
  ['on_intel', 'x64'],
] as const

/** `sums` has the SHA-256 of every archive by its name; throws if one that Homebrew needs is missing. */
export function renderFormula(sums: ReadonlyMap<string, string>): string {
  const { version, license } = packageJson
  const systems = SYSTEMS.map(([block, system]) => {
    const processors = PROCESSORS.map(
      ([inner, machine]) => `    ${inner} do\n${source(`${system}-${machine}`, sums)}\n    end`,
    )
    return `  ${block} do\n${processors.join('\n')}\n  end`
  })
  return `class ClaudeOtel < Formula
  desc "${DESCRIPTION}"
  homepage "${repositoryUrl}"
  version "${version}"
  license "${license}"

${systems.join('\n\n')}

  def install
    bin.install "claude-otel"
  end

  test do
    ENV["CLAUDE_OTEL_HOME"] = testpath/"state"
    assert_match "claude-otel #{version}", shell_output("#{bin}/claude-otel --version")
    # A stand-in for claude, which tells of a session through our hooks.
    (testpath/"claude").write <<~SH
      #!/bin/sh
      for event in SessionStart SessionEnd; do
        printf '{"session_id":"brew","hook_event_name":"%s"}' $event | "#{bin}/claude-otel" hook $event
      done
      exit 7
    SH
    chmod 0755, testpath/"claude"
    ENV["CLAUDE_BIN"] = testpath/"claude"
    ENV["OTEL_TRACES_EXPORTER"] = "file"
    ENV["OTEL_LOGS_EXPORTER"] = ENV["OTEL_METRICS_EXPORTER"] = "none"
    ENV["CLAUDE_OTEL_FILE"] = testpath/"signals.jsonl"
    shell_output("#{bin}/claude-otel hello", 7)
    assert_match "claude.session", (testpath/"signals.jsonl").read
  end
end
`
}

function source(name: string, sums: ReadonlyMap<string, string>): string {
  const target: Target | undefined = targets.find((candidate) => candidate.name === name)
  const archive = target && archiveName(target, packageJson.version)
  const sum = archive && sums.get(archive)
  if (sum === undefined) throw new Error(`the formula needs an archive for ${name}`)
  return `      url "${releasesUrl}/download/v${packageJson.version}/${archive}"\n      sha256 "${sum}"`
}

/**
 * claude's flags (2.1.329), hidden ones too: the one table of what each takes. From its `--help` and from what its program
 * defines; a test holds the table to both.
 */

/** What stands behind a flag. `value`: the next word, whatever it looks like. `optional`, `values`: words without a dash, one or all. */
export type Takes = 'nothing' | 'value' | 'optional' | 'values'

const flags: Readonly<Record<Takes, string>> = {
  nothing: `
    agents-view-if-allowed allow-dangerously-skip-permissions allow-other-models await-claim await-initialize ax-screen-reader
    bare bg brief chrome continue dangerously-skip-permissions deep-link-origin desktop disable-slash-commands
    enable-auth-status enable-auto-mode exclude-dynamic-system-prompt-sections fork-session forward-subagent-text help
    hold-repository-while-parked host-auth-is-org-sign-in ide include-hook-events include-partial-messages
    include-unsupported-models init init-only maintenance managed-settings-in-initialize no-chrome no-session-persistence
    plan-mode-required print replay-user-messages reply-on-resume restricted safe-mode session-mirror strict-mcp-config tmux
    verbose version`,
  value: `
    advisor agent agent-color agent-id agent-name agent-type agents append-subagent-system-prompt
    append-subagent-system-prompt-file append-system-prompt append-system-prompt-file attach-serve autocompact client-data-url
    correlation-id debug-file deep-link-cwd-b64 deep-link-last-fetch deep-link-repo effort environment fallback-model fast-mode
    forward-home-settings inherit-permission-mode initialize-fields input-format json-schema lead-verify-key managed-settings
    max-budget-usd max-thinking-tokens max-turns messaging-socket-path metadata model name on-branch output-format
    parent-session-id permission-mode permission-prompt-tool permission-prompts plan-mode-instructions plugin-dir
    plugin-dir-no-mcp plugin-url pool prefill prefill-b64 proactivity project-config-root ref
    remote-control-session-name-prefix resume-drops-turn resume-session-at rewind-files runner-declares sdk-url
    session-began-as-copy session-id setting-sources settings system-prompt system-prompt-file system-prompt-snapshot
    task-budget team-name teammate-mode thinking thinking-display watch-artifact watch-artifact-no-autoreact workload`,
  optional: 'cloud debug from-pr prompt-suggestions rc remote remote-control resume teleport worktree',
  values:
    'add-dir allowedTools betas channels dangerously-load-development-channels disallowedTools file mcp-config tools',
}

/** Names that mean the same flag: letters stand behind one dash. */
const sameAs: ReadonlyMap<string, string> = new Map([
  ['c', 'continue'],
  ['d', 'debug'],
  ['h', 'help'],
  ['n', 'name'],
  ['p', 'print'],
  ['r', 'resume'],
  ['v', 'version'],
  ['w', 'worktree'],
  ['allowed-tools', 'allowedTools'],
  ['background', 'bg'],
  ['disallowed-tools', 'disallowedTools'],
])

let table: ReadonlyMap<string, Takes> | undefined

/** Made when it is asked for: claude waits for what is done before it starts. */
function tableOf(): ReadonlyMap<string, Takes> {
  const kinds = Object.entries(flags) as [Takes, string][]
  table ??= new Map(kinds.flatMap(([takes, names]) => namesIn(names).map((name) => [name, takes] as const)))
  return table
}

/** By any of its names, without dashes; undefined for a flag that we do not know. */
export function takesOf(name: string): Takes | undefined {
  return tableOf().get(canonicalName(name))
}

/** The one name of those that mean the same. */
export function canonicalName(name: string): string {
  return sameAs.get(name) ?? name
}

/** All names, with their dashes. */
export function allFlags(): string[] {
  return [...tableOf().keys(), ...sameAs.keys()].map((name) => (name.length === 1 ? `-${name}` : `--${name}`))
}

/** Whether this is an option that takes the next word as its value, whatever it looks like. */
export function takesNextWord(word: string): boolean {
  const [, dashes = '', name = ''] = /^(--?)([^-].*)$/s.exec(word) ?? []
  return (dashes === '-') === (name.length === 1) && takesOf(name) === 'value'
}

function namesIn(text: string): string[] {
  return text.trim().split(/\s+/)
}

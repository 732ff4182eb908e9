/**
 * Known secrets become `[REDACTED:kind]` before anything is written to disk or sent. No pattern is tried on a text that
 * does not contain its cheap marker, and repetitions are bounded, so that none can run for long.
 */

interface Detector {
  readonly kind: string
  /** One of these stands in every match; looked for before the pattern is tried. Lower case. */
  readonly markers: readonly string[]
  /** A first capture group is kept in front of the placeholder. */
  readonly pattern: RegExp
}

/** What names a secret: in an assignment, a query, a JSON key, an environment variable. */
const secretName =
  /(?:api[_-]?key|access[_-]?key|secret[_-]?key|private[_-]?key|client[_-]?secret|token|secret|passw(?:or)?d|passphrase|[_-]pwd|credentials?)/

/** Values that stand in code and settings where a secret would: types, fetch modes, variables, calls. */
const notSecret =
  /(?!\[REDACTED|string\b|number\b|boolean\b|unknown\b|undefined\b|include\b|same-origin\b|\$[A-Z_{(]|[\w.$]{1,80}[([])/

const assignment = /["'\\]{0,3}\s{0,4}[:=]\s{0,4}/
const bare = /[^\s"'\\,;&<>(){}[\]]{6,512}/

const detectors: readonly Detector[] = [
  {
    kind: 'private-key',
    markers: ['private key-----'],
    pattern: /-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY-----[\s\S]*?(?:-----END [A-Z0-9 ]{0,40}PRIVATE KEY-----|$)/g,
  },
  { kind: 'anthropic-key', markers: ['sk-ant-'], pattern: /sk-ant-[A-Za-z0-9_-]{8,512}/g },
  {
    kind: 'openai-key',
    markers: ['sk-'],
    pattern: /\bsk-(?=[a-z0-9_-]{0,200}[A-Z])(?=[A-Za-z_-]{0,200}\d)[A-Za-z0-9_-]{20,512}/g,
  },
  {
    kind: 'github-token',
    markers: ['ghp_', 'gho_', 'ghu_', 'ghs_', 'ghr_', 'github_pat_'],
    pattern: /\b(?:gh[pousr]|github_pat)_\w{20,255}/g,
  },
  { kind: 'gitlab-token', markers: ['glpat-'], pattern: /\bglpat-[A-Za-z0-9_-]{16,255}/g },
  { kind: 'slack-token', markers: ['xox', 'xapp-'], pattern: /\b(?:xox[abeoprs]|xapp)-[A-Za-z0-9-]{10,255}/g },
  { kind: 'aws-key-id', markers: ['akia', 'asia'], pattern: /\b(?:AKIA|ASIA)[A-Z0-9]{16}\b/g },
  {
    kind: 'google-key',
    markers: ['aiza', 'ya29.'],
    pattern: /\b(?:AIza[A-Za-z0-9_-]{35}|ya29\.[A-Za-z0-9_-]{20,1024})/g,
  },
  { kind: 'stripe-key', markers: ['_live_', '_test_'], pattern: /\b[rsp]k_(?:live|test)_[A-Za-z0-9]{10,255}/g },
  { kind: 'npm-token', markers: ['npm_'], pattern: /\bnpm_[A-Za-z0-9]{30,255}/g },
  {
    kind: 'jwt',
    markers: ['eyj'],
    pattern: /\beyJ[A-Za-z0-9_-]{8,4096}\.eyJ[A-Za-z0-9_-]{4,8192}\.[A-Za-z0-9_-]{0,2048}/g,
  },
  {
    kind: 'authorization',
    markers: ['authorization'],
    pattern:
      /\b(authorization["'\\]{0,3}\s{0,8}[:=]\s{0,8}["'\\]{0,3}(?:[a-z]{1,20}\s{1,4})?)[A-Za-z0-9._~+/=-]{8,4096}/gi,
  },
  {
    kind: 'authorization',
    markers: ['bearer', 'basic'],
    pattern: /\b((?:bearer|basic)\s{1,4})(?=[A-Za-z._~+/=-]{0,200}\d)[A-Za-z0-9._~+/=-]{12,4096}/gi,
  },
  {
    kind: 'url-password',
    markers: ['://'],
    pattern: /\b([a-z][a-z0-9+.-]{0,30}:\/\/[^\s:@/'"[]{0,256}:)[^\s@/'"]{1,512}(?=@)/gi,
  },
  {
    kind: 'secret',
    markers: ['key', 'token', 'secret', 'passw', 'passphrase', 'pwd', 'credential'],
    pattern: sources`(${secretName}${assignment}(?:\\?["'](?!\[REDACTED))?)(?:(?<=["'])${notSecret}[^"'\\\n]{6,512}|(?<!["'])${notSecret}${bare})`,
  },
]

/** The text with every known secret replaced. Linear in its length; the caller bounds that (see preview.ts). */
export function redact(text: string): string {
  const lower = text.toLowerCase()
  let result = text
  for (const { kind, markers, pattern } of detectors) {
    if (!markers.some((marker) => lower.includes(marker))) continue
    result = result.replace(
      pattern,
      (_match, kept: unknown) => `${typeof kept === 'string' ? kept : ''}${placeholder(kind)}`,
    )
  }
  return result
}

/** Whether a field of that name holds a secret, whatever it looks like: it is replaced by `redactedSecret`. */
export function isSecretName(name: string): boolean {
  return secretFieldName.test(name)
}

const secretFieldName = new RegExp(`^(?:.{0,64}[_.-])?${secretName.source}$`, 'i')

export const redactedSecret = placeholder('secret')

function placeholder(kind: string): string {
  return `[REDACTED:${kind}]`
}

/** Joins patterns into one, global and in any case. */
function sources(texts: TemplateStringsArray, ...parts: readonly RegExp[]): RegExp {
  const source = texts.raw.map((text, index) => text + (parts[index]?.source ?? '')).join('')
  return new RegExp(source, 'gi')
}

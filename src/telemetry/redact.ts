/**
 * Known secrets become `[REDACTED:kind]` before anything is written to disk or sent. Every pattern starts with a
 * fixed prefix and has bounded, non-overlapping repetition, so none can run for long; and none is tried on a text
 * that does not contain its cheap marker.
 */

interface Detector {
  readonly kind: string
  /** One of these stands in every match; looked for before the pattern is tried. Lower case. */
  readonly markers: readonly string[]
  readonly pattern: RegExp
  /** What to keep of the match in front of the placeholder: the first capture group. */
  readonly keepsPrefix?: boolean
}

const detectors: readonly Detector[] = [
  {
    kind: 'private-key',
    markers: ['private key-----'],
    pattern: /-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY-----[\s\S]*?(?:-----END [A-Z0-9 ]{0,40}PRIVATE KEY-----|$)/g,
  },
  { kind: 'anthropic-key', markers: ['sk-ant-'], pattern: /sk-ant-[A-Za-z0-9_-]{8,512}/g },
  { kind: 'openai-key', markers: ['sk-'], pattern: /\bsk-(?:proj-|svcacct-|admin-)?[A-Za-z0-9_-]{20,512}/g },
  {
    kind: 'github-token',
    markers: ['gh', 'github_pat_'],
    pattern: /\b(?:gh[pousr]_[A-Za-z0-9]{20,255}|github_pat_[A-Za-z0-9_]{20,255})/g,
  },
  { kind: 'gitlab-token', markers: ['glpat-'], pattern: /\bglpat-[A-Za-z0-9_-]{16,255}/g },
  {
    kind: 'slack-token',
    markers: ['xox', 'xapp-'],
    pattern: /\b(?:xox[abeoprs]-[A-Za-z0-9-]{10,255}|xapp-[A-Za-z0-9-]{10,255})/g,
  },
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
    markers: ['authorization', 'bearer ', 'basic '],
    pattern:
      /\b((?:authorization["']?\s{0,8}[:=]\s{0,8}["']?(?:[a-z]{1,20}\s{1,4})?|(?:bearer|basic)\s{1,4}))[A-Za-z0-9._~+/=-]{8,8192}/gi,
    keepsPrefix: true,
  },
  {
    kind: 'url-password',
    markers: ['://'],
    pattern: /\b([a-z][a-z0-9+.-]{0,30}:\/\/[^\s:@/'"]{0,256}:)[^\s@/'"]{1,512}(?=@)/gi,
    keepsPrefix: true,
  },
  {
    kind: 'secret',
    markers: ['key', 'token', 'secret', 'passw', 'pwd', 'credential'],
    pattern:
      /((?:api[_-]?key|access[_-]?key|secret[_-]?(?:access[_-]?)?key|client[_-]?secret|(?:auth|access|refresh|session)?[_-]?token|secret|passw(?:or)?d|passphrase|pwd|credentials?)["']?\s{0,4}[:=]\s{0,4}["']?)(?!\[REDACTED)[^\s"',;&<>(){}[\]$]{6,512}/gi,
    keepsPrefix: true,
  },
]

/** The text with every known secret replaced. Linear in its length; the caller bounds that (see preview.ts). */
export function redact(text: string): string {
  const lower = text.toLowerCase()
  let result = text
  for (const { kind, markers, pattern, keepsPrefix } of detectors) {
    if (!markers.some((marker) => lower.includes(marker))) continue
    const placeholder = `[REDACTED:${kind}]`
    result = result.replace(pattern, (_match, prefix: unknown) => (keepsPrefix ? prefix + placeholder : placeholder))
  }
  return result
}

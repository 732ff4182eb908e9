/** Secrets that must go, ordinary text that must stay, and time that must not explode. */
import { describe, expect, test } from 'bun:test'
import { createRedactor, defaultRedaction } from '../../src/telemetry/redact.ts'
import { leastCostMs } from '../kit/cost.ts'

const { redact } = createRedactor(defaultRedaction)

const letters = 'AbCdEfGhIjKlMnOpQrStUvWxYz0123456789aBcDeFgHiJkLmNoPqRsTuVwXyZ'
const word = (length: number): string => letters.repeat(Math.ceil(length / letters.length)).slice(0, length)
const capitals = (length: number): string => word(length).toUpperCase()

/** Kind, the secret itself, and the text around it. Put together here, so that no scanner takes this file for a leak. */
const secrets: readonly (readonly [kind: string, secret: string, text: (secret: string) => string])[] = [
  [
    'private-key',
    `${word(64)}\n${word(64)}`,
    (s) => `cat id\n-----BEGIN OPENSSH PRIVATE KEY-----\n${s}\n-----END OPENSSH PRIVATE KEY-----\nok`,
  ],
  ['private-key', word(64), (s) => `-----BEGIN RSA PRIVATE KEY-----\n${s}\n-----END RSA PRIVATE KEY-----`],
  ['private-key', word(64), (s) => `{"key":"-----BEGIN PRIVATE KEY-----\\n${s}\\n`],
  ['anthropic-key', `sk-ant-api03-${word(80)}`, (s) => `export ANTHROPIC=${s}; claude`],
  ['anthropic-key', `sk-ant-oat01-${word(40)}`, (s) => `x${s}`],
  ['openai-key', `sk-proj-${word(48)}`, (s) => `curl -H 'x: ${s}'`],
  ['openai-key', `sk-${word(48)}`, (s) => `"${s}"`],
  ['github-token', `ghp_${word(36)}`, (s) => `git clone https://${s}@github.com/o/r`],
  ['github-token', `gho_${word(36)}`, (s) => `gh auth: ${s}\n`],
  ['github-token', `ghs_${word(36)}`, (s) => `(${s})`],
  ['github-token', `github_pat_${word(22)}_${word(59)}`, (s) => `login ${s} done`],
  ['gitlab-token', `glpat-${word(20)}`, (s) => `PRIVATE: ${s}`],
  ['slack-token', `xoxb-123456789012-${word(24)}`, (s) => `slack ${s}`],
  ['slack-token', `xapp-1-A012-${word(24)}`, (s) => `slack ${s}`],
  ['aws-key-id', `AKIA${capitals(16)}`, (s) => `aws configure set id ${s}`],
  ['aws-key-id', `ASIA${capitals(16)}`, (s) => `[default]\nid=${s}\n`],
  ['google-key', `AIza${word(35)}`, (s) => `https://maps.example/js?k=${s}&v=3`],
  ['google-key', `ya29.${word(60)}`, (s) => `gcloud printed ${s}`],
  ['stripe-key', `sk_live_${word(24)}`, (s) => `stripe(${s})`],
  ['stripe-key', `rk_test_${word(24)}`, (s) => `stripe('${s}')`],
  ['npm-token', `npm_${word(36)}`, (s) => `//registry.example/:_auth ${s}`],
  ['jwt', `eyJ${word(30)}.eyJ${word(80)}.${word(43)}`, (s) => `cookie ${s}; path=/`],
  ['authorization', word(40), (s) => `curl -H "Authorization: Bearer ${s}" https://api.example`],
  ['authorization', `${word(24)}==`, (s) => `Authorization: Basic ${s}\r\nHost: x`],
  ['authorization', word(40), (s) => `{"authorization": "token ${s}"}`],
  ['authorization', word(40), (s) => `bearer ${s}`],
  ['url-password', 'hunter2', (s) => `psql postgres://app:${s}@db.example:5432/app`],
  ['url-password', 'p:w0rd!', (s) => `redis://:${s}@cache`],
  ['secret', 'hunter2', (s) => `DB_PASSWORD=${s}`],
  ['secret', 'hunter22', (s) => `{"password": "${s}"}`],
  ['secret', word(20), (s) => `api_key: ${s}`],
  ['secret', word(20), (s) => `apiKey = '${s}'`],
  ['aws-secret', word(40), (s) => `AWS_SECRET_ACCESS_KEY=${s}`],
  ['secret', word(20), (s) => `https://x.example/cb?access_token=${s}&state=1`],
  ['secret', word(20), (s) => `client_secret=${s}`],
  ['secret', word(20), (s) => `SESSION_TOKEN="${s}"`],
  ['secret', 'swordfish', (s) => `passphrase: ${s}`],
]

/** Commands, code, logs and prose of a day's work that hold nothing secret. */
const ordinary = `
git log --oneline -5 && git status
c23aa57 Transcripts per run, compaction hooks, costs of forks
commit 4b825dc642cb6eb9a060e54bf8d69288fbee4904
import { createHash } from 'node:crypto'
export function deriveSpanId(traceId: string, key: string): string {
const total = tokens.input + tokens.output
max_tokens: 4096, temperature: 0.7
"usage": {"input_tokens": 101, "output_tokens": 41}
The keyboard shortcut is Ctrl-K; the key is documented below.
Primary key: id, foreign key: user_id
const apiKeys = await listApiKeys()
tokenizer = AutoTokenizer.from_pretrained("bert-base-uncased")
if (token === undefined) return
function isSecret(value: unknown): boolean {
## Secrets and how to rotate them
SELECT password_hash IS NOT NULL FROM users WHERE id = 7
npm install --save-dev typescript@5
npm_config_registry is set by npm itself
npm ERR! code ELIFECYCLE
Error: connect ECONNREFUSED 127.0.0.1:4318
at Object.<anonymous> (/home/dev/proj/src/index.ts:12:34)
https://github.com/owner/repo/pull/123#discussion_r456
http://localhost:4318/v1/traces
ssh://git@example.com:22/owner/repo.git
mailto:someone@example.com
curl -sS https://example.com/a?b=c&d=e
docker run -p 8080:80 -v /data:/data nginx:1.27
ls -la node_modules/.bin | head
task-runner-with-a-very-long-name-indeed started
disk-usage-of-the-whole-machine-in-percent: 71
risk-assessment-of-the-year-before-last.md
desk-booking-system-for-larger-offices
ghost_in_the_shell.txt
ghp is a short prefix
eyJ is how base64 of an object begins
The basic idea is simple.
Authorization is checked by the gateway.
Bearer of bad news
2026-11-21T09:45:33.123Z INFO server listening on :8080
uuid 8e81773f-71a1-4f64-ae8c-306fb2dd89aa
sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855
integrity sha512-z4PhNX7vuL3xVChQ1m2AB9Yg5AULVxXcg/SpIdNs6c5H0NE8XYXysP==
-----BEGIN CERTIFICATE-----
-----BEGIN PUBLIC KEY-----
Exit code 3
toolu_0wpk280rzb2apufpi78i
msg_01XFDUDYJgAACzvnptvVoYEL
req_011CSHoEeqs5C35K2UUqR7Fy
PASS test/telemetry/redact.test.ts
expect(received).toBe(expected)
for (let i = 0; i < keys.length; i++) keys[i] = i
password must be at least 12 characters
Enter password:
token: $GITHUB_TOKEN
password="$DB_PASSWORD"
secret: \${{ secrets.DEPLOY }}
key=value
monkey: see, monkey: do
rowKey: 42
tokens=128000
AKIA is what access key ids begin with
AIzawa is a name
xox: a game
sk-SK, cs-CZ, en-GB
[12:00:00] Building... 1,234 modules
{"name":"claude-otel","version":"0.1.0","type":"module"}
`
  .split('\n')
  .filter((line) => line !== '')

describe('a secret in its usual surroundings', () => {
  test.each(secrets)('of kind %s is masked', (kind, secret, text) => {
    const masked = redact(text(secret))
    expect(masked).toContain(`[REDACTED:${kind}]`)
    for (const part of secret.split('\n')) expect(masked).not.toContain(part)
  })

  test.each(secrets)('of kind %s is masked in the midst of much else, twice', (kind, secret, text) => {
    const filler = ordinary.join('\n')
    const masked = redact([filler, text(secret), filler, text(secret)].join('\n'))
    expect(masked.split(`[REDACTED:${kind}]`).length).toBeGreaterThanOrEqual(2)
    for (const part of secret.split('\n')) expect(masked).not.toContain(part)
  })

  test('leaves what stands around it', () => {
    expect(redact('DB_PASSWORD=hunter2 npm start')).toBe('DB_PASSWORD=[REDACTED:secret] npm start')
    expect(redact('postgres://app:hunter2@db/app')).toBe('postgres://app:[REDACTED:url-password]@db/app')
    expect(redact(`-----BEGIN RSA PRIVATE KEY-----\nx\n-----END RSA PRIVATE KEY-----\nnext`)).toBe(
      '[REDACTED:private-key]\nnext',
    )
  })

  test('is masked once: masking again changes nothing', () => {
    const once = redact(secrets.map(([, secret, text]) => text(secret)).join('\n'))
    expect(redact(once)).toBe(once)
  })

  test('is masked in JSON that stands as text in JSON, as in what MCP servers answer', () => {
    const text = JSON.stringify([{ type: 'text', text: JSON.stringify({ user: 'app', password: 'hunter22' }) }])
    expect(redact(text)).not.toContain('hunter22')
  })

  test('is masked to its end where it is quoted and has blanks', () => {
    expect(redact('passphrase = "correct horse battery staple"')).not.toContain('battery')
  })

  test('is masked where it has a dollar sign', () => {
    expect(redact('DB_PASSWORD=pa$$w0rd-of-the-house')).not.toContain('w0rd')
  })
})

describe('ordinary text', () => {
  test.each(ordinary)('stays as it is: %s', (line) => {
    expect(redact(line)).toBe(line)
  })

  test.each([
    'A basic implementation without error handling',
    'Use basic authentication or bearer authentication',
    'PWD=/home/dev/project',
    'OLDPWD=/home/dev',
    'function login(token: string, password: string): Promise<void>',
    'const token = createToken(user)',
    "fetch(url, { credentials: 'include' })",
    'api_key = os.environ["API_KEY"]',
    'class="sk-fading-circle-animation-container"',
  ])('stays as it is although it resembles a secret: %s', (line) => {
    expect(redact(line)).toBe(line)
  })
})

describe('the time that masking takes', () => {
  const repeat = (unit: string, length: number): string => unit.repeat(Math.ceil(length / unit.length)).slice(0, length)
  const hostile: Readonly<Record<string, string>> = {
    'openers of private keys': '-----BEGIN PRIVATE KEY',
    'private keys without an end': '-----BEGIN PRIVATE KEY-----\n',
    'a private key and almost its end': '-----BEGIN PRIVATE KEY----- -----END AAAAAAAAAAAAAAAA',
    'halves of tokens': 'sk-ant-sk-ghp_glpat-xoxb-npm_AIza',
    'beginnings of JWTs': '-eyJaaaaaaaaaaaa',
    'JWTs without a payload': 'eyJaaaaaaaa.eyJ',
    schemes: 'a+a.a-a://',
    'URLs without a host': 'http://user:password ',
    'one long URL': 'http://a:a:a:a:',
    'names of secrets': 'token_token-secret api_key=',
    assignments: 'password   =   ',
    'authorization headers': 'authorization:  bearer  basic  ',
    blanks: '                key',
    'letters only': 'password',
  }

  test.each(Object.entries(hostile))('grows no faster than the text: %s', (_, unit) => {
    const texts = [1 << 17, 1 << 20].map((length) => repeat(unit, length))
    const [short = 0, long = 0] = texts.map((text) => leastCostMs(() => redact(text)))
    // Eight times the text: 8 when linear, 64 when quadratic. Below some milliseconds chance decides.
    expect(long / Math.max(short, 2)).toBeLessThan(24)
  })
})

/**
 * Secrets of every kind that we know, made up from a fixed seed, each in the surroundings that it is met in, and the search
 * for what is left of them.
 */

export interface Planted {
  /** The name of the detector that has to find it. */
  readonly kind: string
  readonly secret: string
  readonly text: string
}

const lower = 'abcdefghijklmnopqrstuvwxyz'
const digits = '0123456789'
const letters = lower + lower.toUpperCase()
const alphabets = {
  letters,
  word: letters + digits,
  hex: `${digits}abcdef`,
  upper: lower.toUpperCase() + digits,
  base64: `${letters}${digits}+/`,
  url: `${letters}${digits}-_`,
  digits,
} as const

type Draw = (alphabet: keyof typeof alphabets, length: number) => string

/** Mulberry32: the same values in every run. */
function createDraw(seed: number): Draw {
  let state = seed
  const next = (): number => {
    state = (state + 0x6d2b79f5) | 0
    let t = Math.imul(state ^ (state >>> 15), 1 | state)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296
  }
  return (alphabet, length) => {
    const characters = alphabets[alphabet]
    return Array.from({ length }, () => characters[Math.floor(next() * characters.length)]).join('')
  }
}

/** At least two of each kind. `seed` makes other values. */
export function plant(seed: number): Planted[] {
  const draw = createDraw(seed)
  const planted: Planted[] = []
  const add = (kind: string, secret: string, around: (secret: string) => string): void => {
    planted.push({ kind, secret, text: around(secret) })
  }
  addKeys(draw, add)
  addServices(draw, add)
  addClouds(draw, add)
  addHeaders(draw, add)
  addPasswords(draw, add)
  return planted
}

type Add = (kind: string, secret: string, around: (secret: string) => string) => void

function addKeys(draw: Draw, add: Add): void {
  const lines = (count: number, end = '\n'): string => Array.from({ length: count }, () => draw('base64', 64)).join(end)
  add('private-key', lines(12), (s) => `-----BEGIN RSA PRIVATE KEY-----\n${s}\n-----END RSA PRIVATE KEY-----\n`)
  add('private-key', lines(6), (s) => `-----BEGIN OPENSSH PRIVATE KEY-----\n${s}\n-----END OPENSSH PRIVATE KEY-----`)
  add('private-key', lines(8), (s) => `cut: -----BEGIN PRIVATE KEY-----\n${s}`)
  add('private-key', lines(8), (s) => `tail -n 9 key.pem\n${s}\n-----END PRIVATE KEY-----`)
  add(
    'private-key',
    lines(5, '\\n'),
    (s) => `{"private_key": "-----BEGIN PRIVATE KEY-----\\n${s}\\n-----END PRIVATE KEY-----\\n"}`,
  )
  add(
    'private-key',
    lines(7),
    (s) => `-----BEGIN PGP PRIVATE KEY BLOCK-----\n\n${s}\n-----END PGP PRIVATE KEY BLOCK-----`,
  )
  add(
    'private-key',
    lines(4),
    (s) => `PuTTY-User-Key-File-3: ssh-ed25519\nEncryption: none\nPrivate-Lines: 4\n${s}\nPrivate-MAC: 00`,
  )
  add('jwt', `eyJ${draw('url', 30)}.eyJ${draw('url', 90)}.${draw('url', 43)}`, (s) => `session ${s}; next`)
  add(
    'jwt',
    `eyJ${draw('url', 60)}.${draw('url', 342)}.${draw('url', 16)}.${draw('url', 200)}.${draw('url', 22)}`,
    (s) => `JWE ${s}`,
  )
  add('jwt', `eyJ${draw('url', 30)}.eyJ${draw('url', 900)}`, (s) => `cut off: ${s}`)
  add('high-entropy', draw('word', 40), (s) => `the deploy token was rotated to ${s} yesterday`)
  add('high-entropy', draw('base64', 44), (s) => `${s} <- signing key of staging`)
}

function addServices(draw: Draw, add: Add): void {
  add('anthropic-key', `sk-ant-api03-${draw('url', 93)}AA`, (s) => `export X=${s}; claude`)
  add('anthropic-key', `sk-ant-oat01-${draw('url', 80)}`, (s) => `found:${s}.`)
  add('openai-key', `sk-proj-${draw('url', 120)}`, (s) => `OpenAI(${s})`)
  add('openai-key', `sk-${draw('word', 48)}`, (s) => `"${s}"`)
  add('openai-key', `sk-or-v1-${draw('hex', 64)}`, (s) => `openrouter ${s}`)
  add('github-token', `ghp_${draw('word', 36)}`, (s) => `gh says ${s}`)
  add('github-token', `github_pat_${draw('word', 22)}_${draw('word', 59)}`, (s) => `login ${s} done`)
  add('gitlab-token', `glpat-${draw('url', 20)}`, (s) => `clone with ${s}`)
  add('gitlab-token', `glrt-${draw('url', 20)}`, (s) => `runner ${s}`)
  add('slack-token', `xoxb-${draw('digits', 12)}-${draw('digits', 13)}-${draw('word', 24)}`, (s) => `slack ${s}`)
  add(
    'slack-token',
    `T0${draw('upper', 8)}/B0${draw('upper', 8)}/${draw('word', 24)}`,
    (s) => `POST https://hooks.slack.com/services/${s}`,
  )
  add('stripe-key', `sk_live_${draw('word', 99)}`, (s) => `stripe(${s})`)
  add('stripe-key', `whsec_${draw('word', 32)}`, (s) => `endpoint ${s}`)
  add('npm-token', `npm_${draw('word', 36)}`, (s) => `//registry.example/:_auth ${s}`)
  add('npm-token', `npm_${draw('word', 36)}`, (s) => `npm login: ${s}\n`)
  add('pypi-token', `pypi-AgEIcHlwaS5vcmc${draw('url', 150)}`, (s) => `twine upload ${s}`)
  add('pypi-token', `pypi-AgENdGVzdC5weXBp${draw('url', 120)}`, (s) => `(${s})`)
  add('huggingface-token', `hf_${draw('letters', 34)}`, (s) => `huggingface-cli login ${s}`)
  add('huggingface-token', `hf_${draw('letters', 37)}`, (s) => `HfApi("${s}")`)
  add('sendgrid-key', `SG.${draw('url', 22)}.${draw('url', 43)}`, (s) => `sendgrid ${s}`)
  add('sendgrid-key', `SG.${draw('url', 22)}.${draw('url', 43)}`, (s) => `[${s}]`)
  add('twilio-key', `SK${draw('hex', 32)}`, (s) => `twilio ${s}`)
  add('twilio-key', draw('hex', 32), (s) => `Client("AC${'0a'.repeat(16)}", "${s}")`)
  add('telegram-token', `${draw('digits', 10)}:AA${draw('url', 33)}`, (s) => `bot ${s}`)
  add('telegram-token', `${draw('digits', 9)}:AA${draw('url', 33)}`, (s) => `https://api.telegram.org/bot${s}/getMe`)
  add('discord-token', `M${draw('word', 25)}.${draw('url', 6)}.${draw('url', 38)}`, (s) => `client.login("${s}")`)
  add('discord-token', draw('url', 68), (s) => `https://discord.com/api/webhooks/${'1'.repeat(18)}/${s}`)
  add('databricks-token', `dapi${draw('hex', 32)}`, (s) => `databricks ${s}`)
  add('databricks-token', `dapi${draw('hex', 32)}-2`, (s) => `'${s}'`)
  add('digitalocean-token', `dop_v1_${draw('hex', 64)}`, (s) => `doctl auth init -t ${s}`)
  add('digitalocean-token', `doo_v1_${draw('hex', 64)}`, (s) => `digitalocean: ${s}`)
  add('shopify-token', `shpat_${draw('hex', 32)}`, (s) => `shopify ${s}`)
  add('shopify-token', `shpss_${draw('hex', 32)}`, (s) => `<${s}>`)
  add('vault-token', `hvs.${draw('url', 90)}`, (s) => `vault login ${s}`)
  add('vault-token', `${draw('word', 14)}.atlasv1.${draw('url', 67)}`, (s) => `credentials "app.terraform.io" { ${s} }`)
  add('linear-key', `lin_api_${draw('word', 40)}`, (s) => `linear ${s}`)
  add('linear-key', `lin_oauth_${draw('hex', 64)}`, (s) => `linear ${s}`)
  add('mail-key', `key-${draw('hex', 32)}`, (s) => `mailgun ${s}`)
  add('mail-key', `${draw('hex', 32)}-us21`, (s) => `mailchimp ${s}`)
  add('sentry-key', `sntrys_${draw('url', 120)}`, (s) => `sentry-cli ${s}`)
  add('sentry-key', draw('hex', 32), (s) => `https://${s}@o1.ingest.sentry.io/42`)
  add('newrelic-key', `NRAK-${draw('upper', 27)}`, (s) => `newrelic ${s}`)
  add('newrelic-key', `${draw('hex', 36)}NRAL`, (s) => `license ${s}`)
  add('datadog-key', draw('hex', 32), (s) => `datadog api key ${s}`)
  add('datadog-key', draw('hex', 40), (s) => `DD-APPLICATION-KEY: ${s}`)
}

function addClouds(draw: Draw, add: Add): void {
  add('aws-key-id', `AKIA${draw('upper', 16)}`, (s) => `aws configure set id ${s}`)
  add('aws-key-id', `ASIA${draw('upper', 16)}`, (s) => `[default]\nid=${s}\n`)
  add('aws-secret', draw('base64', 40), (s) => `Access key ID,Secret access key\nAKIA${'A1'.repeat(8)},${s}`)
  add('aws-secret', draw('base64', 40), (s) => `aws_secret_access_key = ${s}`)
  add('secret', draw('base64', 800), (s) => `{"SessionToken": "${s}"}`)
  add(
    'azure-key',
    `${draw('base64', 86)}==`,
    (s) => `DefaultEndpointsProtocol=https;AccountName=x;AccountKey=${s};EndpointSuffix=y`,
  )
  add('azure-key', `${draw('word', 43)}%3D`, (s) => `https://x.blob.core.windows.net/c/b?sv=2024-01-01&sp=r&sig=${s}`)
  add('azure-key', `abc8Q~${draw('url', 34)}`, (s) => `az login -p ${s}`)
  add('google-key', `AIza${draw('url', 35)}`, (s) => `https://maps.example/js?k=${s}&v=3`)
  add('google-key', `ya29.${draw('url', 180)}`, (s) => `gcloud printed ${s}`)
  add('google-key', `GOCSPX-${draw('url', 28)}`, (s) => `client ${s}`)
}

function addHeaders(draw: Draw, add: Add): void {
  add('authorization', draw('url', 40), (s) => `curl -H "Authorization: Bearer ${s}" https://api.example`)
  add('authorization', `${draw('base64', 30)}==`, (s) => `Proxy-Authorization: Basic ${s}\r\nHost: x`)
  add('authorization', draw('hex', 40), (s) => `{"authorization": "token ${s}"}`)
  add('authorization', draw('hex', 32), (s) => `Authorization: Digest username="a", realm="b", response="${s}"`)
  add('authorization', draw('url', 40), (s) => `bearer ${s}`)
  add('key-header', draw('url', 32), (s) => `X-Api-Key: ${s}`)
  add('key-header', draw('hex', 32), (s) => `-H 'X-Custom-Signature: ${s}'`)
  add('cookie', draw('word', 40), (s) => `Cookie: sid=${s}; theme=dark`)
  add('cookie', draw('word', 40), (s) => `< set-cookie: session=${s}; Path=/; HttpOnly`)
  add('cookie', draw('word', 40), (s) => `curl -s -b 'session=${s}' https://app.example`)
}

function addPasswords(draw: Draw, add: Add): void {
  const password = (): string => draw('word', 18)
  add('url-password', password(), (s) => `psql postgres://app:${s}@db.example:5432/app`)
  add(
    'url-password',
    `${password()}@${password()}`,
    (s) => `mongodb+srv://app:${s}@cluster.example/app?retryWrites=true`,
  )
  add('url-password', password(), (s) => `redis://:${s}@cache`)
  add('url-password', draw('word', 32), (s) => `git clone https://${s}@git.example/o/r`)
  add('connection-string', password(), (s) => `Server=db;User Id=app;Password=${s};Encrypt=true`)
  add('connection-string', password(), (s) => `"Driver={ODBC};Server=db;Uid=app;Pwd=${s}"`)
  add('command-line', password(), (s) => `curl -sS -u admin:${s} https://api.example`)
  add('command-line', password(), (s) => `tool login --user me --password ${s} --verbose`)
  add('command-line', password(), (s) => `["--db-password", "${s}"]`)
  add('command-line', password(), (s) => `mysqldump -h db -u root -p${s} app > dump.sql`)
  add('command-line', password(), (s) => `sshpass -p ${s} ssh host`)
  add('command-line', password(), (s) => `redis-cli -h cache -a ${s} ping`)
  add('command-line', password(), (s) => `openssl rsa -in k -passin pass:${s}`)
  add('secret', password(), (s) => `DB_PASSWORD=${s}`)
  add('secret', password(), (s) => `PGPASSWORD=${s} psql -h db`)
  add('secret', `${draw('word', 14)}&${draw('word', 14)};${draw('word', 14)}`, (s) => `APP_SECRET=${s}\nNEXT=1`)
  add('secret', password(), (s) => `{"password": "${s}"}`)
  add('secret', `${draw('word', 14)}\\"${draw('word', 14)}`, (s) => `{"password": "${s}"}`)
  add('secret', `${draw('word', 14)}'${draw('word', 14)}`, (s) => `password: "${s}"`)
  add('secret', password(), (s) => JSON.stringify(JSON.stringify({ user: 'app', password: s })))
  add('secret', draw('word', 20), (s) => `api_key: ${s}`)
  add('secret', draw('word', 20), (s) => `apiKey = '${s}'`)
  add('secret', draw('hex', 32), (s) => `DD_API_KEY_PROD=${s}`)
  add('secret', draw('word', 20), (s) => `https://x.example/cb?access_token=${s}&state=1`)
  add('secret', password(), (s) => `passphrase = "correct ${s} battery staple"`)
  add('secret', password(), (s) => `<db.password>${s}</db.password>`)
  add('secret', password(), (s) => `the password is ${s}`)
  add('secret', draw('letters', 16).toLowerCase(), (s) => `  password: ${s}\n`)
}

/** No shorter run of a secret counts as half of it: that much of it can stand elsewhere by chance. */
const runChars = 12

/** The secrets of which a run of 12 characters stands in the text, each with the first of these runs. */
export function findLeaks(text: string, planted: readonly Planted[]): string[] {
  const runs = new Map<string, Planted>()
  for (const each of planted) {
    const { secret } = each
    for (let at = 0; at + runChars <= secret.length; at += 1) {
      const run = secret.slice(at, at + runChars)
      if (!/[\n\\]/.test(run)) runs.set(run, each)
    }
  }
  const leaks = new Map<Planted, string>()
  for (let at = 0; at + runChars <= text.length; at += 1) {
    const run = text.slice(at, at + runChars)
    const found = runs.get(run)
    if (found !== undefined && !leaks.has(found)) leaks.set(found, run)
  }
  return [...leaks].map(([{ kind, text: whole }, run]) => `${kind}: ${run} of ${whole.slice(0, 80)}`)
}

/**
 * The secrets that we know, one row per kind. A row is tried only on texts that contain one of its markers. Repetitions that
 * something has to follow are bounded, so that no pattern runs longer than in proportion to the text; those at the end of a
 * pattern are not, so that no secret is too long for it.
 */
import { isRandomInContext, isSecretAssignment, secretName } from './secret-values.ts'

export interface Find {
  /** One of these stands in every match, in lower case; without any it is always tried. */
  readonly markers: readonly string[]
  /** Global. A first capture group is kept in front of the placeholder. */
  readonly pattern: RegExp
  /** Decides where the pattern alone cannot. `before` includes the kept group; both reach to the ends of the line, or 160 characters. */
  readonly accept?: (secret: string, before: string, after: string) => boolean
}

export interface Detector {
  /** Stands in the placeholder, `[REDACTED:name]`, and in `redact.off`. */
  readonly name: string
  /** What it covers, for the README. */
  readonly covers: string
  readonly finds: readonly Find[]
}

/** Between the lines of a key: a line break, written as one or as `\\n`, or the blank that has taken its place. */
const lineEnd = String.raw`(?:\r?\n|(?:\\{1,4}r)?\\{1,4}n| )`
const base64Line = `[A-Za-z0-9+/=]{40,80}${lineEnd}`
/** Also of prose: `the password is …`. */
const assign = String.raw`(?:["'\\]{0,8}[ \t]{0,4}(?::=|[:=])[ \t]{0,4}|[ \t](?:is|was)[ \t])`
const suffix = String.raw`(?:[_-]?(?:\d{1,3}|prod|production|dev|test|staging|live|old|new))?`
const name = secretName.source
const nameMarkers = ['key', 'token', 'secret', 'passw', 'passphrase', 'passcode', 'pwd', '_pass', '-pass', 'credential']
const inDoubleQuotes = String.raw`[^"\\\r\n]*(?:\\.[^"\\\r\n]*){0,512}`
const inSingleQuotes = String.raw`[^'\\\r\n]*(?:\\.[^'\\\r\n]*){0,512}`
const inEscapedQuotes = String.raw`[^"\\\r\n]*(?:(?:\\{3,15}"|\\{1,15}[^"\\\r\n])[^"\\\r\n]*){0,512}`

export const detectors: readonly Detector[] = [
  {
    name: 'private-key',
    covers: 'private keys: PEM (also without its beginning or its end), OpenSSH, PGP, PuTTY',
    finds: [
      {
        markers: ['private key'],
        pattern:
          /-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----[\s\S]*?(?:-----END [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----|$)/g,
      },
      {
        markers: ['private key'],
        pattern: new RegExp(
          `(?<![A-Za-z0-9+/=])(?:${base64Line}){1,200}(?:[A-Za-z0-9+/=]{0,80}${lineEnd})?-----END [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----`,
          'g',
        ),
      },
      {
        markers: ['private-lines'],
        pattern: new RegExp(
          String.raw`(Private-Lines: \d{1,4}${lineEnd})(?:[A-Za-z0-9+/=]{1,80}(?:${lineEnd}|$)){1,512}`,
          'g',
        ),
      },
    ],
  },
  {
    name: 'anthropic-key',
    covers: 'Anthropic keys and OAuth tokens',
    finds: [{ markers: ['sk-ant-'], pattern: /sk-ant-[A-Za-z0-9_-]{8,}/g }],
  },
  {
    name: 'openai-key',
    covers: 'OpenAI keys (classic, project, service account, admin), OpenRouter keys',
    finds: [
      {
        markers: ['sk-proj-', 'sk-svcacct-', 'sk-admin-', 'sk-or-v1-'],
        pattern: /sk-(?:proj|svcacct|admin|or-v1)-[A-Za-z0-9_-]{16,}/g,
      },
      {
        markers: ['sk-'],
        pattern: /\bsk-(?=[a-z0-9_-]{0,200}[A-Z])(?=[A-Za-z_-]{0,200}\d)[A-Za-z0-9_-]{20,}/g,
      },
      { markers: ['sk-'], pattern: /\bsk-[0-9a-f]{32,64}\b/g },
    ],
  },
  {
    name: 'github-token',
    covers: 'GitHub tokens, classic and fine-grained',
    finds: [
      {
        markers: ['ghp_', 'gho_', 'ghu_', 'ghs_', 'ghr_', 'github_pat_'],
        pattern: /(?:gh[pousr]|github_pat)_\w{20,}/g,
      },
    ],
  },
  {
    name: 'gitlab-token',
    covers: 'GitLab tokens: personal, deploy, runner, trigger, CI job, feed, agent',
    finds: [
      {
        markers: ['glpat-', 'gldt-', 'glrt-', 'glptt-', 'glcbt-', 'glft-', 'glsoat-', 'glagent-', 'gr1348941'],
        pattern: /(?:gl(?:pat|dt|rt|ptt|cbt|ft|soat|agent)-|GR1348941)[A-Za-z0-9_.-]{16,}/g,
      },
    ],
  },
  {
    name: 'slack-token',
    covers: 'Slack tokens, and the secret part of webhook URLs',
    finds: [
      { markers: ['xox', 'xapp-'], pattern: /\b(?:xox[a-z](?:\.xox[a-z])?|xapp)-[A-Za-z0-9-]{10,}/g },
      {
        markers: ['hooks.slack.com'],
        pattern: /(hooks\.slack\.com\/(?:services|workflows|triggers)\/)[A-Za-z0-9_/-]{16,}/g,
      },
    ],
  },
  {
    name: 'stripe-key',
    covers: 'Stripe keys and webhook secrets',
    finds: [
      { markers: ['k_live_', 'k_test_'], pattern: /[rsp]k_(?:live|test)_[A-Za-z0-9]{10,}/g },
      { markers: ['whsec_'], pattern: /\bwhsec_[A-Za-z0-9+/=]{16,}/g },
    ],
  },
  {
    name: 'npm-token',
    covers: 'npm tokens',
    finds: [{ markers: ['npm_'], pattern: /npm_[A-Za-z0-9]{30,}/g }],
  },
  {
    name: 'pypi-token',
    covers: 'PyPI tokens',
    finds: [{ markers: ['pypi-'], pattern: /pypi-A[A-Za-z0-9_-]{40,}/g }],
  },
  {
    name: 'huggingface-token',
    covers: 'Hugging Face tokens',
    finds: [{ markers: ['hf_', 'api_org_'], pattern: /\b(?:hf|api_org)_[A-Za-z]{30,}/g }],
  },
  {
    name: 'sendgrid-key',
    covers: 'SendGrid keys',
    finds: [{ markers: ['sg.'], pattern: /\bSG\.[A-Za-z0-9_-]{16,32}\.[A-Za-z0-9_-]{32,}/g }],
  },
  {
    name: 'twilio-key',
    covers: 'Twilio API keys, and an account’s token beside its id',
    finds: [
      { markers: [], pattern: /\bSK[0-9a-f]{32}\b/g },
      { markers: [], pattern: /\b(AC[0-9a-f]{32}[^A-Za-z0-9]{1,16})[0-9a-f]{32}\b/g },
    ],
  },
  {
    name: 'telegram-token',
    covers: 'Telegram bot tokens',
    finds: [{ markers: [':aa'], pattern: /(?<!\d)\d{8,10}:AA[A-Za-z0-9_-]{32,}/g }],
  },
  {
    name: 'discord-token',
    covers: 'Discord bot tokens, and the secret part of webhook URLs',
    finds: [
      { markers: [], pattern: /\b[MNO][A-Za-z0-9_-]{23,27}\.[A-Za-z0-9_-]{6}\.[A-Za-z0-9_-]{27,}/g },
      { markers: ['/api/webhooks/'], pattern: /(\/api\/webhooks\/\d{10,24}\/)[A-Za-z0-9_-]{20,}/g },
    ],
  },
  {
    name: 'databricks-token',
    covers: 'Databricks tokens',
    finds: [{ markers: ['dapi', 'dkea'], pattern: /\b(?:dapi|dkea)[0-9a-f]{32}(?:-\d)?\b/g }],
  },
  {
    name: 'digitalocean-token',
    covers: 'DigitalOcean tokens',
    finds: [{ markers: ['dop_v1_', 'doo_v1_', 'dor_v1_'], pattern: /do[opr]_v1_[0-9a-f]{40,}/g }],
  },
  {
    name: 'shopify-token',
    covers: 'Shopify tokens and secrets',
    finds: [{ markers: ['shp'], pattern: /\bshp(?:at|ca|pa|ss|ua|tka)_[0-9a-fA-F]{30,}/g }],
  },
  {
    name: 'vault-token',
    covers: 'HashiCorp Vault tokens, Terraform Cloud tokens',
    finds: [
      { markers: ['hvs.', 'hvb.', 'hvr.'], pattern: /\bhv[sbr]\.[A-Za-z0-9_-]{20,}/g },
      { markers: ['.atlasv1.'], pattern: /\b[A-Za-z0-9]{14}\.atlasv1\.[A-Za-z0-9_=-]{50,}/g },
    ],
  },
  {
    name: 'linear-key',
    covers: 'Linear keys and tokens',
    finds: [{ markers: ['lin_api_', 'lin_oauth_'], pattern: /lin_(?:api|oauth)_[A-Za-z0-9]{30,}/g }],
  },
  {
    name: 'mail-key',
    covers: 'Mailgun and Mailchimp keys',
    finds: [
      { markers: ['key-'], pattern: /\bkey-[0-9a-f]{32}\b/g },
      { markers: ['-us'], pattern: /\b[0-9a-f]{32}-us\d{1,2}\b/g },
    ],
  },
  {
    name: 'sentry-key',
    covers: 'Sentry tokens, and the keys in a DSN',
    finds: [
      { markers: ['sntrys_', 'sntryu_'], pattern: /sntry[su]_[A-Za-z0-9+/=_-]{20,}/g },
      { markers: ['://'], pattern: /(https?:\/\/)[0-9a-f]{32}(?::[0-9a-f]{32})?(?=@)/g },
    ],
  },
  {
    name: 'newrelic-key',
    covers: 'New Relic keys',
    finds: [
      { markers: ['nrak-', 'nraa-', 'nrii-', 'nrjs-'], pattern: /\bNR(?:AK|AA|II|JS)-[A-Za-z0-9_-]{16,}/g },
      { markers: ['nral'], pattern: /\b[0-9a-f]{30,40}NRAL\b/g },
    ],
  },
  {
    name: 'datadog-key',
    covers: 'Datadog API and application keys beside their name',
    finds: [
      {
        markers: ['datadog', 'dd_', 'dd-'],
        pattern:
          /\b((?:datadog|dd)[A-Za-z0-9_ -]{0,24}(?:key|KEY|Key)["'\\]{0,3}\s{0,4}[:= ]\s{0,4}["'\\]{0,3})(?:[0-9a-f]{40}|[0-9a-f]{32})\b/gi,
      },
    ],
  },
  {
    name: 'aws-secret',
    covers: 'AWS secret access keys that stand beside their id or name, session tokens',
    finds: [
      {
        markers: ['akia', 'asia'],
        pattern:
          /\b((?:AKIA|ASIA)[A-Z0-9]{16}[^A-Za-z0-9+/]{1,24}(?:[A-Za-z_ -]{1,40}[^A-Za-z0-9+/]{1,12})?)[A-Za-z0-9+/]{40}(?![A-Za-z0-9+/])/g,
      },
      {
        markers: ['aws', 'secretaccesskey', 'secret access key'],
        pattern:
          /((?:aws[_ -]?)?(?:secret[_ -]?(?:access[_ -]?)?key|session[_ -]?token)["'\\]{0,4}\s{0,4}[:=, ]\s{0,4}["'\\]{0,4})[A-Za-z0-9+/=]{40,}/gi,
      },
    ],
  },
  {
    name: 'aws-key-id',
    covers: 'AWS access key ids',
    finds: [
      {
        markers: ['akia', 'asia', 'abia', 'acca'],
        pattern: /(?<![A-Za-z0-9])(?:AKIA|ASIA|ABIA|ACCA)[A-Z0-9]{16}(?![A-Za-z0-9])/g,
      },
    ],
  },
  {
    name: 'azure-key',
    covers: 'Azure: AccountKey and SharedAccessKey of connection strings, signatures of SAS URLs, client secrets',
    finds: [
      {
        markers: ['accountkey=', 'accesskey='],
        pattern: /\b((?:Account|SharedAccess)Key=)[A-Za-z0-9+/%]{20,}={0,2}/gi,
      },
      { markers: ['sig='], pattern: /([?&;]sig=)[A-Za-z0-9%+/=_-]{20,}/gi },
      { markers: ['q~'], pattern: /(?<![A-Za-z0-9_~.-])[A-Za-z0-9_~.-]{3}\dQ~[A-Za-z0-9_~.-]{31,}/g },
    ],
  },
  {
    name: 'google-key',
    covers: 'Google API keys, OAuth tokens, refresh tokens and client secrets',
    finds: [
      { markers: ['aiza'], pattern: /AIza[A-Za-z0-9_-]{35}/g },
      { markers: ['ya29.'], pattern: /\bya29\.[A-Za-z0-9_.-]{20,}/g },
      { markers: ['gocspx-'], pattern: /GOCSPX-[A-Za-z0-9_-]{20,}/g },
      { markers: ['1//0'], pattern: /\b1\/\/0[A-Za-z0-9_-]{30,}/g },
    ],
  },
  {
    name: 'jwt',
    covers: 'JSON web tokens, signed, encrypted or cut',
    finds: [
      {
        markers: ['eyj'],
        pattern:
          /eyJ[A-Za-z0-9_-]{8,4096}\.(?:eyJ[A-Za-z0-9_.-]{4,}|[A-Za-z0-9_-]{0,1024}\.[A-Za-z0-9_-]{8,64}\.[A-Za-z0-9_.-]{8,})/g,
      },
    ],
  },
  {
    name: 'authorization',
    covers: '`Authorization` and `Proxy-Authorization` headers, bearer and basic credentials',
    finds: [
      {
        markers: ['authorization'],
        pattern:
          /\b((?:proxy-)?authorization["'\\]{0,4}\s{0,8}[:=]\s{0,8}["'\\]{0,4}(?:bearer|basic|token|negotiate|apikey|api-key|key|ntlm|bot)?\s{0,4})(?=[A-Za-z._~+/=-]{0,200}\d|[A-Za-z._~+/=-]{16,200})[A-Za-z0-9._~+/=-]{8,}/gi,
        accept: (secret) => !/^[\w.]+$/.test(secret) || /\d/.test(secret),
      },
      {
        markers: ['authorization'],
        pattern:
          /\b((?:proxy-)?authorization["'\\]{0,4}\s{0,8}[:=]\s{0,8}["'\\]{0,4}(?:digest|aws4-hmac-sha256|hawk|oauth|signature)\s{1,4})[^\r\n]{8,}/gi,
      },
      {
        markers: ['bearer', 'basic'],
        pattern: /\b((?:bearer|basic)\s{1,4})(?=[A-Za-z._~+/=-]{0,200}\d)[A-Za-z0-9._~+/=-]{12,}/gi,
      },
    ],
  },
  {
    name: 'key-header',
    covers: '`X-Api-Key` and its like: headers that are named for a key, token or secret',
    finds: [
      {
        markers: ['x-', 'api-key', '-token'],
        pattern:
          /\b((?:x-[a-z-]{0,40}(?:key|token|secret|signature|auth)|api-key|private-token|job-token|deploy-token)["'\\]{0,4}\s{0,4}:\s{0,4}["'\\]{0,4})[A-Za-z0-9._~+/=-]{8,}/gi,
        accept: (secret) => !/^[a-z_.]+$/i.test(secret) || secret.length > 40,
      },
    ],
  },
  {
    name: 'cookie',
    covers: '`Cookie` and `Set-Cookie` headers, curl’s `-b`',
    finds: [
      {
        markers: ['cookie'],
        pattern:
          /\b((?:set-)?cookie["'\\]{0,4}\s{0,4}:\s{0,4}["'\\]{0,4})(?=[A-Za-z0-9_.%-]{1,128}=[^\s=])[^\r\n"'\\]{6,}/gi,
      },
      {
        markers: ['curl', 'wget'],
        pattern:
          /\b((?:curl|wget)\s[^\n]{0,1000}?\s(?:-b|--cookie)[ =]\s{0,4}["'\\]{0,3})(?=[A-Za-z0-9_.%-]{1,128}=)[^\r\n"'\\]{4,}/g,
      },
    ],
  },
  {
    name: 'url-password',
    covers: 'passwords and tokens in URLs and connection strings (`scheme://user:password@host`)',
    finds: [
      {
        markers: ['://'],
        pattern: /\b([a-z][a-z0-9+.-]{0,30}:\/\/[^\s:@/'"[\]<>{}$]{0,256}:)[^\s/'"<>[\]]{1,512}(?=@)/gi,
        accept: isLiteral,
      },
      {
        markers: ['://'],
        pattern: /\b([a-z][a-z0-9+.-]{0,30}:\/\/)[A-Za-z0-9_.~%-]{20,512}(?=@)/gi,
        accept: (secret) => /\d/.test(secret),
      },
    ],
  },
  {
    name: 'connection-string',
    covers: '`Password=…;` and `Pwd=…;` of ADO, ODBC and JDBC connection strings',
    finds: [
      {
        markers: ['password', 'pwd'],
        pattern: /(;\s{0,4}(?:password|pwd)\s{0,2}=\s{0,2})(?![/~])[^;"'\r\n\\]{1,}/gi,
        accept: isLiteral,
      },
      {
        markers: ['password', 'pwd'],
        pattern: /\b((?:password|pwd)\s{0,2}=\s{0,2})(?![/~])[^;"'\s\\]{1,256}(?=;\s{0,4}[a-z][a-z ]{1,40}=)/gi,
        accept: isLiteral,
      },
    ],
  },
  {
    name: 'command-line',
    covers:
      'passwords and tokens as arguments: `curl -u user:…`, `--password …`, `mysql -p…`, `sshpass -p …`, `redis-cli -a …`',
    finds: [
      {
        markers: ['curl', 'wget', 'http'],
        pattern:
          /\b((?:curl|wget|https?)\s(?:[^\n]{0,1000}?\s)?(?:-u|--user|-U|--proxy-user)[ =]?\s{0,4}["'\\]{0,3}[^\s:"'\\]{0,128}:)[^\s"'\\]{1,}/g,
        accept: (secret) => isLiteral(secret) && !secret.startsWith('//'),
      },
      {
        markers: nameMarkers,
        pattern:
          /(--(?:[a-z0-9]{1,20}-){0,3}(?:password|passwd|pass|passphrase|token|secret|api-?key|access-?key|secret-?key|private-?key|credentials?)(?:["'\\]{0,8},\s{0,4}["'\\]{0,8}|[= ]\s{0,4}["'\\]{0,3}))(?!-)[^\s"'\\,]{4,}/gi,
        accept: (secret, before) =>
          isArgument(secret) && (before.endsWith('=') || !/^[a-z]+[.,;:)]?$/.test(secret) || /pass/i.test(before)),
      },
      {
        markers: ['mysql', 'mariadb'],
        pattern: /\b((?:mysql|mariadb)[a-z-]{0,16}\s(?:[^\n|;&]{0,500}?\s)?-p["'\\]{0,3})[^\s"'\\]{3,}/g,
        accept: isLiteral,
      },
      {
        markers: ['sshpass', 'redis-cli', 'docker', 'podman', 'helm', 'ldap', 'smbclient', 'mongo'],
        pattern:
          /\b((?:sshpass\s(?:[^\n|;&]{0,200}?\s)?-p\s?|redis-cli\s(?:[^\n|;&]{0,500}?\s)?-a\s|(?:docker|podman|helm)\s[^\n|;&]{0,100}?login\s(?:[^\n|;&]{0,500}?\s)?-p\s|ldap[a-z]{1,10}\s(?:[^\n|;&]{0,500}?\s)?-w\s|mongo[a-z]{0,10}\s(?:[^\n|;&]{0,500}?\s)?-p\s)\s{0,3}["'\\]{0,3})[^\s"'\\]{3,}/g,
        accept: isArgument,
      },
      {
        markers: ['pass:'],
        pattern: /(\s-(?:passin|passout|pass|k)\s{1,4}["'\\]{0,3}pass:)[^\s"'\\]{1,}/g,
        accept: isLiteral,
      },
    ],
  },
  {
    name: 'secret',
    covers:
      'values assigned to names like `api_key`, `token`, `password`, `DB_PASSWORD`: code, JSON, YAML, `.env`, queries, XML',
    finds: [
      {
        // A line of a file of variables, or one in front of a command: the value goes on to the next blank.
        markers: nameMarkers,
        pattern:
          /(?<![A-Z0-9_a-z?&])([A-Z0-9_]{0,64}(?:KEY|TOKEN|SECRET|PASSWORD|PASSWD|PASSPHRASE|_PWD|_PASS|CREDENTIALS?)(?:_[A-Z0-9]{1,16})?=)(?!["'])[^\s"'`]{4,}/g,
        accept: isSecretAssignment,
      },
      {
        // In double quotes, in those of JSON within JSON, in single quotes, or in none.
        markers: nameMarkers,
        pattern: new RegExp(
          `(${name}${suffix}${assign}(?:\\\\{0,7}["'])?)(?:(?<=[^\\\\]")(?=[^"]{4})${inDoubleQuotes}|(?<=\\\\")(?=[^"]{4})${inEscapedQuotes}|(?<=')(?=[^']{4})${inSingleQuotes}|(?<!["'])(?!["'\\\\])[^\\s"'\\\\,;&<>(){}[\\]\`]{6,})`,
          'gi',
        ),
        accept: isSecretAssignment,
      },
      {
        markers: nameMarkers,
        pattern: new RegExp(`(<[\\w:.-]{0,40}${name}>)[^<>\\s]{4,512}(?=</)`, 'gi'),
        accept: isLiteral,
      },
    ],
  },
  {
    name: 'high-entropy',
    covers:
      'anything random of 20 characters and more on a line that speaks of a secret, token, password, key or authentication',
    finds: [
      {
        markers: ['secret', 'token', 'passw', 'passphrase', 'credential', 'key', 'auth', 'bearer'],
        pattern: /(?<![A-Za-z0-9+/_=.-])[A-Za-z0-9+/_-]{20,512}={0,2}/g,
        accept: isRandomInContext,
      },
    ],
  },
]

export const detectorNames = detectors.map(({ name }) => name)

/** Not a variable, a placeholder or a format. */
function isLiteral(secret: string): boolean {
  return !/^(?:\[REDACTED|\$[A-Z_{(a-z]|[<{%*]|\*{3}|\.\.\.|x{3,}$)/i.test(secret)
}

function isArgument(secret: string): boolean {
  return isLiteral(secret) && !/^[[(|/]/.test(secret)
}

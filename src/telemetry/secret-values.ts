/**
 * What a secret without a shape of its own looks like: names that announce one, values that stand in code and settings
 * where one would, and text that nobody has thought up.
 */

/** What names a secret: in an assignment, a query, a JSON key, an environment variable, a flag. */
export const secretName =
  /(?:(?:api|access|secret|private|signing|encryption|master|shared|account|auth|app|license|deploy)[_-]?key|client[_-]?secret|token|secret|passw(?:or)?d|passphrase|passcode|[_-]pwd|[_-]pass|credentials?)/

const passwordName = /(?:passw|passphrase|passcode|[_-]pwd|[_-]pass)/i

/** Values that stand where a secret would: placeholders, variables, types, fetch modes, calls. */
const notSecret =
  /^(?:\[REDACTED|[<$%{*#@!]*[<${*%]|\.\.\.|x{4,}|your[_-]|(?:string|number|boolean|unknown|undefined|null|none|true|false|include|same-origin|required|optional|process\.env)\b|[\w.$]{1,80}[([])/i

/** Of a path or a name the place is told, not the secret. */
const pointsElsewhere =
  /(?:_|-)(?:file|path|dir|url|uri|name|id|type|length|size|count|ttl|expiry)["'\\]{0,3}\s{0,4}[:=]/i

/** `name = value`, as code, settings, JSON and queries write it; `before` is everything up to the value. */
export function isSecretAssignment(value: string, before: string, after: string): boolean {
  if (/^0x[0-9a-f]+$/i.test(value) || notSecret.test(value) || pointsElsewhere.test(before) || /^\W+$/.test(value))
    return false
  if (/\s(?:is|was)\s["']?$/.test(before)) {
    return looksRandom(value) || (/\d/.test(value) && /[a-z]/i.test(value))
  }
  if (/["']$/.test(before)) return passwordName.test(before) || !/\s\S*\s/.test(value)
  if (/^[A-Z_$][\w$]*$/i.test(value) || /^[a-z_$][\w$]*(?:[.?!]+[a-z_$][\w$]*)+[?!]?$/i.test(value)) {
    return isBareWordSecret(value, before, after)
  }
  return !/^[/~.]/.test(value) && !/^(?:\w+[:=])?\/\//.test(value)
}

/** A word, or words with dots between: in code that is a variable. */
function isBareWordSecret(value: string, before: string, after: string): boolean {
  if (looksRandom(value)) return true
  const isSetting = /^[^a-z]+=$/.test(before) || /(?:^|[\s?&;])[\w.-]*=$/.test(before)
  const hasDigits = /[a-z]\d|\d[a-z]/i.test(value)
  if (value.includes('.') && !hasDigits) return isSetting && passwordName.test(before)
  if (passwordName.test(before))
    return (isSetting || hasDigits || (/[a-z]\s*: $/i.test(before) && !/^[;,)]/.test(after))) && !isNameOfSecret(value)
  return hasDigits && (isSetting || value.length >= 16) && !isNameOfSecret(value)
}

/** `password=password`, `token: newToken`: a variable of that name. */
function isNameOfSecret(value: string): boolean {
  return secretFieldName.test(value)
}

/** Whether a field of that name holds a secret, whatever it looks like. */
export function isSecretName(name: string): boolean {
  return secretFieldName.test(name)
}

const secretFieldName = new RegExp(`(?:^|.)${secretName.source}$|^(?:pwd|pass)$`, 'i')

const context =
  /(?:secret|token|passw(?:or)?d|passphrase|credentials?|api[ _-]?keys?|access[ _-]?keys?|private[ _-]?keys?|signing[ _-]?keys?|auth(?:entication|orization)?|bearer)(?![a-z])/i

/** Something random on a line that speaks of a secret. Hashes, ids and integrity values are hexadecimal or say what they are. */
export function isRandomInContext(value: string, before: string, after: string): boolean {
  if (
    value.length < 20 ||
    after.startsWith('(') ||
    !/\d/.test(value) ||
    !looksRandom(value) ||
    /(?:sha\d{1,3}|md5|integrity)\W{0,4}$/i.test(before)
  )
    return false
  return context.test(before) || context.test(after)
}

/** Letters of both cases, changing places (with digits) as often as chance has them. */
export function looksRandom(value: string): boolean {
  if (value.length < 16 || /^(?:[0-9a-f-]+|[0-9A-F-]+)$/.test(value) || /^sha\d+-/.test(value)) return false
  if (!/[a-z]/.test(value) || !/[A-Z]/.test(value) || !/^[\w+/=~-]+$/.test(value)) return false
  let changes = 0
  for (let at = 1; at < value.length; at += 1) if (kindOf(value, at) !== kindOf(value, at - 1)) changes += 1
  return changes / (value.length - 1) > 0.3
}

function kindOf(text: string, at: number): number {
  const code = text.charCodeAt(at)
  if (code >= 97) return 0
  return code >= 65 ? 1 : 2
}

/**
 * What OpenTelemetry's GenAI conventions demand of messages: `gen-ai-input-messages.json`, `gen-ai-output-messages.json` and
 * `gen-ai-system-instructions.json` of open-telemetry/semantic-conventions-genai, in our words. Says what is wrong, and where.
 */

type Value = unknown

/** Required fields of each kind of part; any other kind needs a `type` alone. */
const parts: Readonly<Record<string, Readonly<Record<string, (value: Value) => boolean>>>> = {
  text: { content: isText },
  reasoning: { content: isText },
  tool_call: { name: isText, id: (value) => value === undefined || value === null || isText(value) },
  tool_call_response: { response: (value) => value !== undefined },
}

export function faultsOfInput(json: Value): string[] {
  return list(json).flatMap((message, index) => faultsOfMessage(message, `[${index}]`))
}

export function faultsOfOutput(json: Value): string[] {
  const reasons = list(json).flatMap((message, index) =>
    isText(record(message).finish_reason) ? [] : [`[${index}] has no finish_reason`],
  )
  return [...faultsOfInput(json), ...reasons]
}

export function faultsOfInstructions(json: Value): string[] {
  return list(json).flatMap((part, index) => faultsOfPart(part, `[${index}]`))
}

function list(json: Value): readonly Value[] {
  const value: Value = typeof json === 'string' ? JSON.parse(json) : json
  if (!Array.isArray(value)) throw new Error(`not a list: ${JSON.stringify(json)?.slice(0, 80)}`)
  return value
}

function faultsOfMessage(message: Value, at: string): string[] {
  const { role, parts } = record(message)
  if (!isText(role)) return [`${at} has no role`]
  if (!Array.isArray(parts)) return [`${at} has no parts`]
  return parts.flatMap((part, index) => faultsOfPart(part, `${at}.parts[${index}]`))
}

function faultsOfPart(part: Value, at: string): string[] {
  const fields = record(part)
  if (!isText(fields.type)) return [`${at} has no type`]
  const wrong = Object.entries(parts[String(fields.type)] ?? {}).filter(([name, isRight]) => !isRight(fields[name]))
  return wrong.map(([name]) => `${at}.${name} of a ${fields.type} is ${JSON.stringify(fields[name])}`)
}

function isText(value: Value): boolean {
  return typeof value === 'string'
}

function record(value: Value): Readonly<Record<string, Value>> {
  return typeof value === 'object' && value !== null ? (value as Readonly<Record<string, Value>>) : {}
}

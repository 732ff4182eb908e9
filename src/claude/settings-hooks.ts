/**
 * Our hooks in the text of a settings file: put in and taken out, with every other character left as it is. Pure: texts in, texts
 * out.
 */
import { Failure } from '../base/errors.ts'
import { type JSONPath, parseJsonc, setJson } from '../base/jsonc.ts'
import { isRecord } from '../telemetry/summary.ts'
import { type Handler, ourExecutable } from './hook-command.ts'

/** Where a handler of ours stands. */
interface Found {
  readonly event: string
  readonly group: number
  readonly at: number
  readonly handler: unknown
}

/**
 * The text with exactly these handlers of ours, by event: what is there of them stays where it is and is mended, what else is ours
 * goes. The same text when nothing has to change. Fails (`data`) on a text that cannot be understood; `path` is for the words.
 */
export function putHooks(text: string, handlers: Readonly<Record<string, Handler>>, path: string): string {
  let result = text
  const wanted = new Map(Object.entries(handlers))
  // From the end, so that what is before keeps its place.
  for (const found of findOurs(readHooks(text, path), path).reverse()) {
    const handler = wanted.get(found.event)
    if (handler === undefined || hasEarlier(text, found, path)) result = takeOut(result, found, path)
    else if (!Bun.deepEquals(handler, found.handler))
      result = setJson(result, ['hooks', found.event, found.group, 'hooks', found.at], handler)
  }
  for (const [event, handler] of wanted) result = addMissing(result, event, handler, path)
  return checked(text, result, handlers, path)
}

/** The text without any handler of ours, and without what held nothing else. Fails (`data`) as `putHooks` does. */
export function takeHooks(text: string, path: string): string {
  const taken = findOurs(readHooks(text, path), path)
    .reverse()
    .reduce((rest, found) => takeOut(rest, found, path), text)
  return checked(text, taken, {}, path)
}

function addMissing(text: string, event: string, handler: Handler, path: string): string {
  const hooks = readHooks(text, path)
  if (findOurs({ [event]: hooks[event] }, path).length > 0) return text
  const groups = hooks[event]
  const group = { hooks: [handler] }
  if (groups === undefined) return setJson(text, ['hooks', event], [group])
  return setJson(text, ['hooks', event, asGroups(event, groups, path).length], group)
}

/** Another one of ours for the same event, which is the one to stay. */
function hasEarlier(text: string, { event, group, at }: Found, path: string): boolean {
  const all = findOurs({ [event]: readHooks(text, path)[event] }, path)
  return all[0]?.group !== group || all[0].at !== at
}

function takeOut(text: string, { event, group, at }: Found, path: string): string {
  const hooks = readHooks(text, path)
  const groups = asGroups(event, hooks[event], path)
  const { length } = handlersOf(groups[group])
  const steps: [path: JSONPath, isAlone: boolean][] = [
    [['hooks', event, group], length === 1],
    [['hooks', event], groups.length === 1],
    [['hooks'], Object.keys(hooks).length === 1],
  ]
  let place: JSONPath = ['hooks', event, group, 'hooks', at]
  for (const [wider, isAlone] of steps) {
    if (!isAlone) break
    place = wider
  }
  return setJson(text, place, undefined)
}

function readHooks(text: string, path: string): Readonly<Record<string, unknown>> {
  const settings = readSettings(text, path)
  const { hooks = {} } = settings
  if (!isRecord(hooks)) throw notUnderstood(path, '"hooks" is not an object')
  return hooks
}

function readSettings(text: string, path: string): Readonly<Record<string, unknown>> {
  const parsed = parseJsonc(text)
  if ('problem' in parsed)
    throw new Failure('data', `${path} is not JSON: ${parsed.problem}`, 'mend it, then try again')
  if (!isRecord(parsed.value)) throw notUnderstood(path, 'it is not a JSON object')
  return parsed.value
}

/** In the order of the text. */
function findOurs(hooks: Readonly<Record<string, unknown>>, path: string): Found[] {
  return Object.entries(hooks).flatMap(([event, groups]) =>
    asGroups(event, groups, path).flatMap((each, group) =>
      handlersOf(each).flatMap((handler, at) =>
        ourExecutable(handler) === undefined ? [] : [{ event, group, at, handler }],
      ),
    ),
  )
}

function asGroups(event: string, groups: unknown, path: string): readonly unknown[] {
  if (groups === undefined) return []
  if (!Array.isArray(groups)) throw notUnderstood(path, `"hooks.${event}" is not a list`)
  return groups
}

function handlersOf(group: unknown): readonly unknown[] {
  return isRecord(group) && Array.isArray(group.hooks) ? group.hooks : []
}

/**
 * The result, once it is sure that it says of us what it should and of everything else what the text said: a key that stands there
 * twice would have been edited in the wrong place.
 */
function checked(text: string, result: string, handlers: Readonly<Record<string, Handler>>, path: string): string {
  const after = readSettings(result, path)
  const ours = findOurs(readHooks(result, path), path).map(({ event, handler }) => [event, handler] as const)
  const isExact = Bun.deepEquals(new Map(ours), new Map(Object.entries(handlers))) && ours.length === new Map(ours).size
  if (isExact && Bun.deepEquals(othersOf(after), othersOf(readSettings(text, path)))) return result
  throw notUnderstood(path, 'a key stands there twice')
}

/** Everything but ours, and but what holds nothing. */
function othersOf(settings: Readonly<Record<string, unknown>>): unknown {
  const hooks = isRecord(settings.hooks) ? Object.entries(settings.hooks) : []
  const others = hooks.map(([event, groups]) => {
    const kept = (Array.isArray(groups) ? groups : []).map((group) => {
      const handlers = handlersOf(group)
      const foreign = handlers.filter((handler) => ourExecutable(handler) === undefined)
      return handlers.length > 0 && foreign.length === 0 ? undefined : { ...Object(group), hooks: foreign }
    })
    return [event, kept.filter((group) => group !== undefined)] as const
  })
  return { ...settings, hooks: Object.fromEntries(others.filter(([, groups]) => groups.length > 0)) }
}

function notUnderstood(path: string, why: string): Failure {
  return new Failure('data', `${path} is not as Claude Code's settings are: ${why}`, 'mend it, then try again')
}

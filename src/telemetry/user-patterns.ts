/**
 * Patterns that users write, on an engine that cannot backtrack (RE2): none can hang the program. Loaded only where there are
 * any.
 */
import { RE2JS } from 're2js'
import type { UserPattern } from './redact.ts'

/**
 * Compiles RE2 syntax, or JavaScript's where RE2 has the same. Throws an Error that says what the engine refuses: look-around,
 * back references, what is no pattern at all, and a pattern that matches nothing at all everywhere.
 */
export function compilePattern(name: string, pattern: string): UserPattern {
  const compiled = RE2JS.compile(RE2JS.translateRegExp(pattern))
  if (compiled.matcher('').find()) throw new Error('it matches the empty text')
  return {
    name,
    replaceAll(text, replace) {
      const matcher = compiled.matcher(text)
      let result = ''
      let end = 0
      while (matcher.find()) {
        const match = matcher.group() ?? ''
        result += text.slice(end, matcher.start()) + replace(match, matcher.start())
        end = matcher.end()
      }
      return result + text.slice(end)
    },
  }
}

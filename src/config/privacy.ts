/** The rules of masking and of content. A pattern that cannot run is told with the reason. */

import { describeError } from '../base/errors.ts'
import type { ContentRule } from '../telemetry/content.ts'
import type { RedactionRules, UserPattern } from '../telemetry/redact.ts'
import { showText } from './kinds.ts'
import { nearest } from './suggest.ts'
import type { ConfigSources, Report, Values } from './values.ts'

/** A pattern that does not compile is left out and reported. */
export function redactionRules(values: Values, { masking }: ConfigSources, report: Report): RedactionRules {
  const given = values.of('redact.patterns')
  const patterns = (given.value ?? []).flatMap(({ name, pattern }): UserPattern[] => {
    try {
      if (masking === undefined) throw new Error('patterns are not compiled here')
      return [masking.compilePattern(name, pattern)]
    } catch (error) {
      report.add(
        `redact.patterns has ${JSON.stringify(showText(pattern))} (from ${given.origin}): ${describeError(error)}`,
        'write it in RE2 syntax: no look-around, no back references, no match of the empty text',
      )
      return []
    }
  })
  return { patterns, allow: values.get('redact.allow'), off: knownKinds(values, masking?.kinds ?? [], report) }
}

function knownKinds(values: Values, kinds: readonly string[], report: Report): readonly string[] {
  const { value = [], origin } = values.of('redact.off')
  return value.filter((word) => {
    if (word === 'all' || kinds.includes(word)) return true
    const meant = nearest(word, ['all', ...kinds])
    const hint = meant === undefined ? `use some of: all, ${kinds.join(', ')}` : `did you mean ${meant}?`
    report.add(`redact.off has "${showText(word)}" (from ${origin}), which is no kind of secret`, hint)
    return false
  })
}

/** Whether a rule of masking was found that cannot be followed: then no content is kept at all. */
export function isMaskingBroken({ problems }: Report): boolean {
  return problems.some(({ message }) => message.startsWith('redact.'))
}

/** The general rule. */
export function contentRule(values: Values, report: Report): ContentRule {
  if (isMaskingBroken(report)) return { previewLength: 0, whole: [], wholeLength: 0 }
  return {
    previewLength: values.get('previewLength'),
    whole: values.get('content'),
    wholeLength: values.get('contentLength'),
  }
}

/** What goes to stdout of a run, and nothing else does: what `claude -p` would print there, in each of its formats. Pure. */
import type { SDKMessage, SDKResultMessage } from '@anthropic-ai/claude-agent-sdk/core'

/** `text` comes with each result, as from `claude -p`; `live` is all that the model writes, as it writes it. */
export type AnswerFormat = 'text' | 'live' | 'json' | 'stream-json'

export interface Answer {
  /** What to write for the message; often nothing. */
  show(message: SDKMessage): string
  /** What is left to write when claude has ended. */
  end(): string
}

export function createAnswer(format: AnswerFormat): Answer {
  if (format === 'stream-json') return { show: (message) => `${JSON.stringify(message)}\n`, end: () => '' }
  if (format === 'json') return lastResult()
  return format === 'live' ? liveText() : resultTexts()
}

/** How a result reads: the answer, or why there is none, in claude's words. */
export function resultText(result: SDKResultMessage): string {
  if (result.subtype === 'success') return result.result
  const told = result.errors.filter((line) => !line.startsWith('[ede_diagnostic]'))
  return told.length === 0 ? 'Execution error' : `Error: ${told.join('\n')}`
}

function lastResult(): Answer {
  let last: SDKResultMessage | undefined
  return {
    show(message) {
      if (message.type === 'result') last = message
      return ''
    },
    end: () => (last === undefined ? '' : `${JSON.stringify(last)}\n`),
  }
}

/** A run that goes on after its first result, with the end of something in the background, has several. */
function resultTexts(): Answer {
  let count = 0
  return {
    show(message) {
      if (message.type !== 'result') return ''
      count += 1
      return `${count === 1 ? '' : '\n'}${resultText(message)}\n`
    },
    end: () => '',
  }
}

function liveText(): Answer {
  let isWithinLine = false
  let hasWritten = false
  const close = (): string => {
    const end = isWithinLine ? '\n' : ''
    isWithinLine = false
    return end
  }
  return {
    show(message) {
      if (message.type === 'result' && message.is_error) return `${close()}${resultText(message)}\n`
      if (message.type !== 'stream_event' || message.parent_tool_use_id !== null) return ''
      const { event } = message
      if (event.type === 'content_block_stop') return close()
      if (event.type !== 'content_block_delta' || event.delta.type !== 'text_delta') return ''
      const { text } = event.delta
      const gap = hasWritten && !isWithinLine ? '\n' : ''
      isWithinLine = !text.endsWith('\n')
      hasWritten = true
      return `${gap}${text}`
    },
    end: close,
  }
}

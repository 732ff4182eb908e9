/** What a person says to an agent, handed over when the agent asks for it. */
import type { SDKUserMessage } from '@anthropic-ai/claude-agent-sdk/core'

export class Inbox implements AsyncIterable<SDKUserMessage> {
  private readonly waiting: SDKUserMessage[] = []
  private wake = () => {}
  private isOver = false

  say(text: string): void {
    this.waiting.push({ type: 'user', message: { role: 'user', content: text }, parent_tool_use_id: null })
    this.wake()
  }

  /** Nothing follows; the agent ends when it has done what it was told. */
  end(): void {
    this.isOver = true
    this.wake()
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<SDKUserMessage, void> {
    for (;;) {
      for (let next = this.waiting.shift(); next !== undefined; next = this.waiting.shift()) yield next
      if (this.isOver) return
      const { promise, resolve } = Promise.withResolvers<void>()
      this.wake = resolve
      await promise
    }
  }
}

/** The turns of a session, with what each used. */
import type { TurnRow } from '../views.ts'
import { renderCount, renderDuration } from './format.ts'
import { Card, Legend, StackedBar } from './parts.tsx'
import { VirtualList } from './virtual-list.tsx'

const turnParts = [
  ['input', 'input', 'input, not cached'],
  ['cacheCreation', 'cache-creation', 'written to the cache'],
  ['cacheRead', 'cache-read', 'read from the cache'],
  ['output', 'output', 'output'],
] as const

export function Turns(props: {
  readonly turns: readonly TurnRow[]
  readonly isActive: boolean
  readonly choose: (spanId: string) => void
}) {
  const { turns } = props
  const totals = turns.map(({ tokens }) => tokens.input + tokens.output + tokens.cacheRead + tokens.cacheCreation)
  const most = Math.max(1, ...totals)
  return (
    <Card title="Tokens per turn" note="subagents included">
      {turns.length === 0 && <p class="quiet">No turn has begun.</p>}
      <VirtualList
        class="turns"
        label="Turns"
        count={turns.length}
        rowHeight={44}
        row={(index) => {
          const turn = turns[index]
          if (turn === undefined) return null
          const parts = turnParts.map(([key, tone, name]) => ({ name, class: tone, value: turn.tokens[key] }))
          return (
            <button type="button" class="turn-line" key={turn.spanId} onClick={() => props.choose(turn.spanId)}>
              <span class="name">
                <b>{turn.prompt === undefined ? turn.name : turn.name.replace(/^Turn /, '')}</b>{' '}
                <bdi>{turn.prompt}</bdi>
              </span>
              <span class="quiet">
                {turn.isOpen && props.isActive ? 'running' : renderDuration(turn.endUnixMicro - turn.startUnixMicro)} ·{' '}
                {turn.tools} {turn.tools === 1 ? 'tool' : 'tools'}
              </span>
              <StackedBar parts={parts} of={most} />
              <span class="number">{renderCount(totals[index] ?? 0)}</span>
            </button>
          )
        }}
      />
      <Legend parts={turnParts.map(([, tone, name]) => ({ name, class: tone }))} />
    </Card>
  )
}

/** Which of claude's flags an agent can have. */
import { expect, test } from 'bun:test'
import { agentArgs } from '../../src/agent/arguments.ts'
import { Failure } from '../../src/base/errors.ts'

test('flags are written as claude takes them, in their order', () => {
  expect(agentArgs({ model: 'opus', 'add-dir': ['a', 'b'], 'strict-mcp-config': null, 'brand-new': 'x' })).toEqual([
    '--model=opus',
    '--add-dir=a',
    '--add-dir=b',
    '--strict-mcp-config',
    '--brand-new=x',
  ])
})

test('what the SDK says already is left out, by any name', () => {
  expect(agentArgs({ print: null, p: null, verbose: null, 'include-partial-messages': null })).toEqual([])
})

test.each(['output-format', 'input-format', 'bg', 'background', 'h', 'version', 'tmux', 'cloud'])(
  '%s is refused',
  (name) => {
    expect(() => agentArgs({ [name]: 'x' })).toThrow(Failure)
  },
)

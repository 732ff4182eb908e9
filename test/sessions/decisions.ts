/** Cases where somebody says no: rules, modes, the user's own hooks. */

import { expect } from 'bun:test'
import { join } from 'node:path'
import { text, tools } from '../kit/messages-api.ts'
import type { Case } from './play.ts'
import { bash, failure, model, oneTool, sessionOf, setHook, success, toolsOf, unattended } from './words.ts'

const refused = `
  claude.session
    invoke_agent claude-code
      chat ${model}
      execute_tool Bash tool.status=denied !
      chat ${model}
`

const touch = () => ({ main: [tools(bash('touch forbidden')), text('Done.')] })

const rules: readonly Case[] = [
  {
    title: 'a tool that a rule of the settings denies',
    args: () => ['-p', 'Touch', '--permission-mode', 'default'],
    script: touch,
    prepare: async ({ path }) => {
      const settings = { permissions: { deny: ['Bash(touch:*)'] } }
      await Bun.write(join(path, '.claude/settings.json'), JSON.stringify(settings))
    },
    tree: refused,
    exit: success,
    also: (played) => {
      const [call] = toolsOf(played, 'Bash')
      expect(call?.attributes).toMatchObject({
        'error.type': 'permission_denied',
        duration_ms: 0,
        permission_wait_ms: 0,
      })
      expect(call?.attributes['error.message']).toContain('has been denied')
    },
  },
  {
    title: 'a tool in a mode that never asks',
    args: () => ['-p', 'Touch', '--permission-mode', 'dontAsk'],
    script: touch,
    tree: refused,
    exit: success,
  },
  {
    title: 'two equal calls that nobody is there to permit',
    args: () => ['-p', 'Touch', '--permission-mode', 'default'],
    script: () => ({ main: [tools(bash('touch forbidden'), bash('touch forbidden')), text('Done.')] }),
    tree: `
      claude.session
        invoke_agent claude-code
          chat ${model}
          execute_tool Bash tool.status=denied !
          execute_tool Bash tool.status=denied !
          chat ${model}
    `,
    exit: success,
  },
]

const hooks: readonly Case[] = [
  {
    title: 'a PreToolUse hook that refuses with exit code 2',
    args: () => ['-p', 'Say hi', ...unattended],
    script: () => ({ main: [tools(bash('echo hi')), text('Done.')] }),
    prepare: (home) => setHook(home, 'PreToolUse', 'echo forbidden >&2; exit 2'),
    tree: refused,
    exit: success,
    also: (played) => expect(toolsOf(played, 'Bash')[0]?.attributes['error.message']).toContain('forbidden'),
  },
  {
    title: 'a PreToolUse hook that denies in JSON',
    args: () => ['-p', 'Say hi', ...unattended],
    script: () => ({ main: [tools(bash('echo hi')), text('Done.')] }),
    prepare: (home) => {
      const decision = {
        hookEventName: 'PreToolUse',
        permissionDecision: 'deny',
        permissionDecisionReason: 'not today',
      }
      return setHook(home, 'PreToolUse', `echo '${JSON.stringify({ hookSpecificOutput: decision })}'`)
    },
    tree: refused,
    exit: success,
    also: (played) => expect(toolsOf(played, 'Bash')[0]?.attributes['error.message']).toContain('not today'),
  },
  {
    title: 'a PostToolUse hook that complains',
    args: () => ['-p', 'Say hi', ...unattended],
    script: () => ({ main: [tools(bash('echo hi')), text('Done.')] }),
    prepare: (home) => setHook(home, 'PostToolUse', 'echo bad >&2; exit 2'),
    tree: oneTool,
    exit: success,
  },
  {
    title: 'a UserPromptSubmit hook that blocks the prompt',
    args: () => ['-p', 'Say hi'],
    script: () => ({ main: [] }),
    prepare: (home) => setHook(home, 'UserPromptSubmit', 'echo not like this >&2; exit 2'),
    tree: `
      claude.session
        invoke_agent claude-code !
    `,
    exit: success,
    also: (played) => {
      const turn = played.sink.spans().find(({ name }) => name.startsWith('invoke_agent'))
      expect(turn?.attributes).toMatchObject({ 'error.type': 'blocked_by_hook', 'error.message': 'not like this' })
      expect(sessionOf(played).attributes['prompt.preview']).toBe('Say hi')
    },
  },
  {
    title: 'a PostToolBatch hook that ends the turn',
    args: () => ['-p', 'Say hi', ...unattended],
    script: () => ({ main: [tools(bash('echo hi'))] }),
    prepare: (home) => setHook(home, 'PostToolBatch', 'echo enough >&2; exit 2'),
    tree: `
      claude.session
        invoke_agent claude-code !
          chat ${model}
          execute_tool Bash tool.status=success
    `,
    exit: success,
    also: ({ sink }) => {
      const turn = sink.spans().find(({ name }) => name.startsWith('invoke_agent'))
      expect(turn?.attributes['error.type']).toBe('stopped_by_hook')
    },
  },
  {
    title: 'a Stop hook that refuses twice, so that the model goes on',
    args: () => ['-p', 'Say hi', ...unattended],
    script: () => ({ main: [text('Same.'), text('Same.'), tools(bash('echo hi')), text('Same.')] }),
    prepare: (home) => {
      const count = `n=$(cat ${home.path}/n 2>/dev/null || echo 0); n=$((n+1)); echo $n > ${home.path}/n`
      return setHook(home, 'Stop', `${count}; if [ $n -le 2 ]; then echo again >&2; exit 2; fi`)
    },
    tree: `
      claude.session
        invoke_agent claude-code
          chat ${model}
        invoke_agent claude-code
          chat ${model}
        invoke_agent claude-code
          chat ${model}
          execute_tool Bash tool.status=success
          chat ${model}
    `,
    exit: success,
  },
]

const limits: readonly Case[] = [
  {
    title: 'a turn that has used up --max-turns',
    args: () => ['-p', 'Say hi', '--max-turns', '1', ...unattended],
    script: () => ({ main: [tools(bash('echo hi'))] }),
    tree: `
      claude.session !
        invoke_agent claude-code !
          chat ${model}
          execute_tool Bash tool.status=success
    `,
    exit: failure,
    also: ({ sink }) => {
      const turn = sink.spans().find(({ name }) => name.startsWith('invoke_agent'))
      expect(turn?.attributes['error.type']).toBe('max_turns')
    },
  },
]

export const decisions = [...rules, ...hooks, ...limits]

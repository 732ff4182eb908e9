/** How the console looks: signs, colours and frames of a terminal, or words for everything else. */

export type Sign = 'prompt' | 'tool' | 'agent' | 'success' | 'failure' | 'done' | 'warning' | 'note' | 'question'

export type Paint = (text: string) => string

export interface Theme {
  /** Colours, signs and a line that moves; otherwise words alone. */
  readonly isRich: boolean
  readonly signs: Readonly<Record<Sign, string>>
  readonly bold: Paint
  readonly dim: Paint
  readonly italic: Paint
  readonly underline: Paint
  readonly strike: Paint
  readonly accent: Paint
  readonly good: Paint
  readonly bad: Paint
  readonly warn: Paint
  readonly code: Paint
  readonly dots: string
  readonly arrow: string
  readonly between: string
  readonly bullet: string
  readonly caret: string
}

/** Around what is painted inside: it ends its own colour, not ours. */
function paint(open: number, close: number): Paint {
  const [begin, end] = [`\x1b[${open}m`, `\x1b[${close}m`]
  return (text) => (text === '' ? '' : `${begin}${text.replaceAll(end, `${end}${begin}`)}${end}`)
}

const asIs: Paint = (text) => text

export const richTheme: Theme = {
  isRich: true,
  signs: {
    prompt: '👤',
    tool: '🔧',
    agent: '🤖',
    success: '✅',
    failure: '❌',
    done: '🎉',
    warning: '⚡',
    note: '💬',
    question: '❓',
  },
  bold: paint(1, 22),
  dim: paint(2, 22),
  italic: paint(3, 23),
  underline: paint(4, 24),
  strike: paint(9, 29),
  accent: paint(36, 39),
  good: paint(32, 39),
  bad: paint(31, 39),
  warn: paint(33, 39),
  code: paint(33, 39),
  dots: '…',
  arrow: '→',
  between: ' · ',
  bullet: '•',
  caret: '❯',
}

export const plainTheme: Theme = {
  isRich: false,
  signs: {
    prompt: 'prompt:',
    tool: 'tool:',
    agent: 'agent:',
    success: 'ok:',
    failure: 'error:',
    done: 'done:',
    warning: 'warning:',
    note: 'note:',
    question: 'question:',
  },
  bold: asIs,
  dim: asIs,
  italic: asIs,
  underline: asIs,
  strike: asIs,
  accent: asIs,
  good: asIs,
  bad: asIs,
  warn: asIs,
  code: asIs,
  dots: '...',
  arrow: '->',
  between: ' | ',
  bullet: '-',
  caret: '>',
}

type Environment = Readonly<Record<string, string | undefined>>

/** Plain without a terminal, with `NO_COLOR`, `CI` or `TERM=dumb`, and when somebody asks for it. */
export function themeFor(isTerminal: boolean, env: Environment, isPlain: boolean): Theme {
  const isSaid = Boolean(env.NO_COLOR) || (Boolean(env.CI) && env.CI !== 'false') || env.TERM === 'dumb'
  return isTerminal && !isPlain && !isSaid ? richTheme : plainTheme
}

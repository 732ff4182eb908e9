/** PowerShell's grammar, for texts that no shell here runs. */
import { join } from 'node:path'
import { schemaModules } from '../../scripts/schemas.ts'

interface Node {
  readonly type: string
  readonly text: string
  readonly hasError: boolean
  descendantsOfType(type: string): readonly Node[]
}

interface Parser {
  setLanguage(language: unknown): void
  parse(text: string): { readonly rootNode: Node } | null
}

interface TreeSitter {
  readonly Parser: { init(): Promise<void>; new (): Parser }
  readonly Language: { load(path: string): Promise<unknown> }
}

/** The variables of the environment that a script sets to literal texts. Throws where it does anything else, or is not PowerShell. */
export async function readAssignments(script: string): Promise<readonly (readonly [string, string])[]> {
  const modules = await schemaModules()
  const { Parser, Language }: TreeSitter = await import(join(modules, 'web-tree-sitter/web-tree-sitter.js'))
  await Parser.init()
  const parser = new Parser()
  parser.setLanguage(await Language.load(join(modules, 'tree-sitter-powershell/tree-sitter-powershell.wasm')))
  const root = parser.parse(script)?.rootNode
  if (root === undefined || root.hasError) throw new Error(`this is no PowerShell:\n${script}`)
  return root.descendantsOfType('assignment_expression').map((assignment) => {
    const [left] = assignment.descendantsOfType('variable')
    const [name = ''] = /(?<=^\$env:)\w+$/.exec(left?.text ?? '') ?? []
    const literals = assignment.descendantsOfType('verbatim_string_characters')
    const [value] = literals
    const isAll = value !== undefined && literals.length === 1 && assignment.text === `${left?.text} = ${value.text}`
    if (name === '' || !isAll) throw new Error(`"${assignment.text}" sets no variable of the environment to a text`)
    // Two quotes in a literal, of any kind that PowerShell takes for one, are one.
    return [name, value.text.slice(1, -1).replaceAll(/['‘’‚‛]{2}/g, (pair) => pair.slice(0, 1))] as const
  })
}

/** Grafana's own schema and a grammar of PowerShell, by which the tests judge files that no program here reads. */
import { join } from 'node:path'
import { workspaceModules } from './workspace.ts'

if (import.meta.main) console.log(await schemaModules())

/** The `node_modules` with them, installed first if need be. */
export function schemaModules(): Promise<string> {
  return workspaceModules('test-schemas', join(import.meta.dir, '../test/stack/schemas'))
}

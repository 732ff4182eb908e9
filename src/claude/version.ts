/** Which Claude Code a claude is. */

/** What `claude --version` says, `2.1.329`; undefined where it says nothing within the time. */
export async function readClaudeVersion(
  claude: string,
  env: Readonly<Record<string, string | undefined>>,
  timeoutMs: number,
): Promise<string | undefined> {
  try {
    const child = Bun.spawn([claude, '--version'], {
      env: { ...env },
      stdin: 'ignore',
      stdout: 'pipe',
      stderr: 'ignore',
      timeout: timeoutMs,
      killSignal: 'SIGKILL',
    })
    return /^\d+\.\d+\.\d+/.exec(await new Response(child.stdout).text())?.[0]
  } catch {
    return undefined
  }
}

/** Whether the first of two versions is the lower one. */
export function isOlder(version: string, than: string): boolean {
  return Bun.semver.order(version, than) < 0
}

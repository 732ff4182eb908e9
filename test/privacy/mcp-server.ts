/**
 * An MCP server on stdin and stdout with two tools: `read` answers with the text of the file that it is started with, `fail`
 * fails with it.
 */
const text = await Bun.file(process.argv[2] ?? '').text()

const inputSchema = { type: 'object', additionalProperties: true }

interface Call {
  readonly id?: number
  readonly method: string
  readonly params?: { readonly protocolVersion?: string; readonly name?: string }
}

function answer({ method, params }: Call): unknown {
  if (method === 'initialize') {
    const serverInfo = { name: 'vault', version: '1.0.0' }
    return { protocolVersion: params?.protocolVersion, capabilities: { tools: {} }, serverInfo }
  }
  if (method === 'tools/list') {
    return { tools: ['read', 'fail'].map((name) => ({ name, description: `To ${name}.`, inputSchema })) }
  }
  if (method === 'tools/call') return { content: [{ type: 'text', text }], isError: params?.name === 'fail' }
  return {}
}

for await (const line of console) {
  const call = JSON.parse(line) as Call
  if (call.id !== undefined) console.log(JSON.stringify({ jsonrpc: '2.0', id: call.id, result: answer(call) }))
}

export {}

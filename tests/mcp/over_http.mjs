// Offers the tools of a server that speaks over its standard input and output to one that speaks HTTP:
//
//   node tests/mcp/over_http.mjs target/mcp <program of the server> <its arguments>…
//
// Prints its address.

import { createServer } from 'node:http'
import { createRequire } from 'node:module'
import { resolve } from 'node:path'

const [folder, program, ...rest] = process.argv.slice(2)
const require = createRequire(resolve(folder) + '/')
const { Client } = require('@modelcontextprotocol/sdk/client/index.js')
const { StdioClientTransport } = require('@modelcontextprotocol/sdk/client/stdio.js')
const { Server } = require('@modelcontextprotocol/sdk/server/index.js')
const { StreamableHTTPServerTransport } = require('@modelcontextprotocol/sdk/server/streamableHttp.js')
const types = require('@modelcontextprotocol/sdk/types.js')

const client = new Client({ name: 'over-http', version: '1' })
await client.connect(new StdioClientTransport({ command: 'node', args: [program, ...rest], stderr: 'ignore' }))

const http = createServer(async (request, response) => {
  const server = new Server({ name: 'over-http', version: '1' }, { capabilities: { tools: {} } })
  server.setRequestHandler(types.ListToolsRequestSchema, ({ params }) => client.listTools(params))
  server.setRequestHandler(types.CallToolRequestSchema, ({ params }) => client.callTool(params))
  const transport = new StreamableHTTPServerTransport({ sessionIdGenerator: undefined })
  response.on('close', () => { transport.close(); server.close() })
  await server.connect(transport)
  await transport.handleRequest(request, response)
})
http.listen(0, '127.0.0.1', () => console.log(`http://127.0.0.1:${http.address().port}/mcp`))

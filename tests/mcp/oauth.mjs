// A real authorization server (oidc-provider) that rotates refresh tokens and revokes all that came of one that is
// spent twice, and an MCP server (the protocol's SDK) that takes its access tokens. Both on one port of loopback:
//
//   node tests/mcp/oauth.mjs target/mcp
//
// Prints one line of JSON: where it is, and the tokens of a person who has agreed. GET /stats says what was asked of
// it; POST /expire makes it refuse all access tokens of before, POST /trouble/<status> answers the token endpoint so,
// and /release lets go the calls that wait.

import { createServer } from 'node:http'
import { createRequire } from 'node:module'
import { resolve } from 'node:path'

const require = createRequire(resolve(process.argv[2]) + '/')
const { Provider } = require('oidc-provider')
const { McpServer } = require('@modelcontextprotocol/sdk/server/mcp.js')
const { StreamableHTTPServerTransport } = require('@modelcontextprotocol/sdk/server/streamableHttp.js')

const CLIENT = { id: 'hostler', secret: 'client-secret-of-the-test' }
const SCOPE = 'openid offline_access'
const stats = { renewed: 0, refused: 0, calls: 0, unauthorized: 0 }
let trouble = 0

const http = createServer()
await new Promise(done => http.listen(0, '127.0.0.1', done))
const origin = `http://127.0.0.1:${http.address().port}`

const provider = new Provider(origin, {
  clients: [{ client_id: CLIENT.id, client_secret: CLIENT.secret, redirect_uris: ['http://127.0.0.1/callback'],
              grant_types: ['authorization_code', 'refresh_token'], token_endpoint_auth_method: 'client_secret_basic' }],
  features: { devInteractions: { enabled: false } },
  findAccount: (_, id) => ({ accountId: id, claims: () => ({ sub: id }) }),
  rotateRefreshToken: true,
  ttl: { AccessToken: 3600, RefreshToken: 86400, Grant: 86400, Session: 86400, IdToken: 3600 },
})
provider.on('grant.success', ctx => { if (ctx.oidc.params.grant_type === 'refresh_token') stats.renewed += 1 })
provider.on('grant.error', () => { stats.refused += 1 })

async function agreed() {
  const client = await provider.Client.find(CLIENT.id)
  const grant = new provider.Grant({ accountId: 'ada', clientId: CLIENT.id })
  grant.addOIDCScope(SCOPE)
  const grantId = await grant.save()
  const now = Math.floor(Date.now() / 1000)
  const common = { accountId: 'ada', client, grantId, gty: 'authorization_code', scope: SCOPE }
  const access = await new provider.AccessToken(common).save()
  const refresh = await new provider.RefreshToken({ ...common, authTime: now, iiat: now, rotations: 0 }).save()
  return { access_token: access, refresh_token: refresh }
}

async function isGood(authorization) {
  const value = /^Bearer (.+)$/.exec(authorization ?? '')?.[1]
  const token = value && await provider.AccessToken.find(value)
  return Boolean(token?.isValid && !old.has(value))
}

const called = []
let release
const released = new Promise(done => { release = done })

// The access tokens that POST /expire has put out of use.
const old = new Set()
const seen = new Set()

async function mcp(request, response) {
  const authorization = request.headers.authorization
  if (!await isGood(authorization)) {
    stats.unauthorized += 1
    response.writeHead(401, { 'www-authenticate': 'Bearer error="invalid_token"' }).end(`no: ${authorization}`)
    return
  }
  seen.add(authorization.slice('Bearer '.length))
  const server = new McpServer({ name: 'guarded', version: '1' })
  server.registerTool('whoami', { description: 'Who the token belongs to.' }, async () => {
    stats.calls += 1
    return { content: [{ type: 'text', text: 'ada' }] }
  })
  server.registerTool('long', { description: 'Says a lot.' }, async () =>
    ({ content: [{ type: 'text', text: 'x'.repeat(150000) }] }))
  server.registerTool('wait', { description: 'Waits until it is let go.' }, async () => {
    stats.calls += 1
    for (const look of called) look()
    await released
    return { content: [{ type: 'text', text: 'at last' }] }
  })
  const transport = new StreamableHTTPServerTransport({ sessionIdGenerator: undefined })
  response.on('close', () => { transport.close(); server.close() })
  await server.connect(transport)
  await transport.handleRequest(request, response)
}

const own = provider.callback()
http.on('request', async (request, response) => {
  const path = new URL(request.url, origin).pathname
  if (path === '/mcp') return mcp(request, response)
  if (path === '/stats') return response.end(JSON.stringify(stats))
  if (path === '/release') { release(); return response.end('{}') }
  if (path.startsWith('/called/')) {
    await new Promise(done => { const look = () => stats.calls >= Number(path.split('/')[2]) && done(); called.push(look); look() })
    return response.end('{}')
  }
  if (path === '/agree') return response.end(JSON.stringify(await agreed()))
  if (path === '/expire') {
    for (const token of seen) old.add(token)
    return response.end('{}')
  }
  if (path.startsWith('/trouble/')) {
    trouble = Number(path.split('/')[2])
    return response.end('{}')
  }
  if (path === '/token' && trouble) return response.writeHead(trouble).end('in trouble')
  return own(request, response)
})

console.log(JSON.stringify({ origin, mcp: `${origin}/mcp`, token_endpoint: `${origin}/token`,
                             client_id: CLIENT.id, client_secret: CLIENT.secret, ...await agreed() }))

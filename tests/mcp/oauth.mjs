// A real authorization server (oidc-provider) that rotates refresh tokens and revokes all that came of one that is
// spent twice, and an MCP server (the protocol's SDK) that takes its access tokens. Both on one port of loopback:
//
//   node tests/mcp/oauth.mjs target/mcp
//
// Prints one line of JSON: where it is, and the tokens of a person who has agreed. GET /stats says what was asked of
// it; /hold-token lets the token endpoint wait with its answers, /token-asked waits until one is asked for and /let-token
// gives it; POST /expire makes it refuse all access tokens of before, POST /trouble/<status> answers the token endpoint so,
// and /release lets go the calls that wait. Clients register themselves; the person is ada, who agrees to whatever a
// browser that keeps cookies opens, or after POST /refuse to nothing.

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
  clients: [{ client_id: CLIENT.id, client_secret: CLIENT.secret, redirect_uris: ['https://hostler.example/callback'],
              grant_types: ['authorization_code', 'refresh_token'], token_endpoint_auth_method: 'client_secret_basic' }],
  features: {
    devInteractions: { enabled: false },
    registration: { enabled: true },
    resourceIndicators: { enabled: true, useGrantedResource: () => true,
                          getResourceServerInfo: () => ({ scope: 'tools', accessTokenFormat: 'opaque' }) },
  },
  issueRefreshToken: (_, client) => client.grantTypeAllowed('refresh_token'),
  interactions: { url: (_, interaction) => `/interaction/${interaction.uid}` },
  scopes: ['openid', 'offline_access', 'tools'],
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

// For the token endpoint to answer when the test says so.
let tokenHeld = null
let tokenAsked = () => {}
const asked = new Promise(done => { tokenAsked = done })
let letToken = () => {}

let refuses = false

// What the pages of the server and the person in front of them do.
async function interact(request, response) {
  const { prompt, params, session, grantId } = await provider.interactionDetails(request, response)
  let result = { login: { accountId: 'ada' } }
  if (refuses) result = { error: 'access_denied', error_description: 'not today' }
  else if (prompt.name === 'consent') {
    const grant = grantId ? await provider.Grant.find(grantId)
      : new provider.Grant({ accountId: session.accountId, clientId: params.client_id })
    grant.addOIDCScope(params.scope ?? '')
    for (const [resource, scopes] of Object.entries(prompt.details.missingResourceScopes ?? {}))
      grant.addResourceScope(resource, scopes.join(' '))
    result = { consent: { grantId: await grant.save() } }
  }
  await provider.interactionFinished(request, response, result, { mergeWithLastSubmission: !refuses })
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
    const metadata = `${origin}/.well-known/oauth-protected-resource/mcp`
    response.writeHead(401, { 'www-authenticate': `Bearer error="invalid_token", resource_metadata="${metadata}"` })
    response.end(`no: ${authorization}`)
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
  if (path === '/.well-known/oauth-protected-resource/mcp') {
    response.setHeader('content-type', 'application/json')
    const scopes = ['openid', 'offline_access', 'tools']
    return response.end(JSON.stringify({ resource: `${origin}/mcp`, authorization_servers: [origin], scopes_supported: scopes }))
  }
  if (path.startsWith('/interaction/')) return interact(request, response)
  if (path === '/refuse') { refuses = true; return response.end('{}') }
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
  if (path === '/hold-token') { tokenHeld = new Promise(done => { letToken = done }); return response.end('{}') }
  if (path === '/token-asked') { await asked; return response.end('{}') }
  if (path === '/let-token') { letToken(); tokenHeld = null; return response.end('{}') }
  if (path === '/token' && tokenHeld) { tokenAsked(); await tokenHeld }
  if (path === '/token' && trouble) return response.writeHead(trouble).end('in trouble')
  return own(request, response)
})

console.log(JSON.stringify({ origin, mcp: `${origin}/mcp`, token_endpoint: `${origin}/token`,
                             client_id: CLIENT.id, client_secret: CLIENT.secret, ...await agreed() }))

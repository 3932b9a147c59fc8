import { createServer } from 'node:http'
import { readFile } from 'node:fs/promises'
import { extname, join, normalize } from 'node:path'

const { BELFRY_URL = 'http://localhost:8080', PORT = '3000', BELFRY_KEY, APP_USER } = process.env
const types = { '.html': 'text/html', '.js': 'text/javascript', '.css': 'text/css' }

/** Who is signed in here. An application asks its own session; this one knows nobody else. */
let signedIn = APP_USER

/** Has Belfry mint a ticket. The key never reaches the browser. */
async function mint(response) {
  if (!signedIn) return response.writeHead(401).end()
  const url = `${BELFRY_URL}/api/v1/users/${encodeURIComponent(signedIn)}/stream-tickets`
  const answer = await fetch(url, {
    method: 'POST',
    headers: { Authorization: `Bearer ${BELFRY_KEY}` },
  })
  // A 401 to the page says that nobody is signed in here, and ends its stream. One of Belfry's is about
  // the key: a fault of ours, and the page goes on trying.
  if (!answer.ok) return response.writeHead(502).end()
  response.writeHead(answer.status, { 'Content-Type': 'application/json' })
  response.end(await answer.text())
}

async function file(pathname, response) {
  // A path of the address cannot lead out of this folder: `..` at its beginning is dropped.
  const path = join(import.meta.dirname, normalize(pathname === '/' ? '/index.html' : pathname))
  let content = await readFile(path)
  if (extname(path) === '.html')
    content = content
      .toString()
      .replaceAll('https://belfry.example', BELFRY_URL)
      .replaceAll('USER', APP_USER)
  response.writeHead(200, { 'Content-Type': types[extname(path)] ?? 'application/octet-stream' })
  response.end(content)
}

createServer(async (request, response) => {
  const { pathname } = new URL(request.url, 'http://here')
  try {
    if (request.method === 'POST' && pathname === '/belfry-ticket') await mint(response)
    else if (request.method === 'POST' && pathname === '/sign-out') {
      signedIn = null
      response.writeHead(204).end()
    } else await file(pathname, response)
  } catch {
    response.writeHead(pathname === '/belfry-ticket' ? 502 : 404).end()
  }
}).listen(Number(PORT), '127.0.0.1')

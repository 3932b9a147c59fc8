import { createServer } from 'node:http'
import { readFile } from 'node:fs/promises'
import { extname, join, normalize } from 'node:path'

const { BELFRY_URL = 'http://localhost:8080', PORT = '3000' } = process.env
const types = { '.html': 'text/html', '.js': 'text/javascript', '.css': 'text/css' }

createServer(async (request, response) => {
  const { pathname } = new URL(request.url, 'http://here')
  // A path of the address cannot lead out of this folder: `..` at its beginning is dropped.
  const file = join(import.meta.dirname, normalize(pathname === '/' ? '/index.html' : pathname))
  try {
    let content = await readFile(file)
    if (extname(file) === '.html')
      content = content.toString().replaceAll('https://belfry.example', BELFRY_URL)
    response.writeHead(200, { 'Content-Type': types[extname(file)] ?? 'application/octet-stream' })
    response.end(content)
  } catch {
    response.writeHead(404).end()
  }
}).listen(Number(PORT), 'localhost')

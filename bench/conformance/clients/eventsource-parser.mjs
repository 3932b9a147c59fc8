// The package eventsource-parser only parses: the loop around it is what its users write.
import { createParser } from 'eventsource-parser'
import { address, report, ticket } from './report.mjs'

let last = ''
let wait = 1000

async function connection() {
  const headers = { Authorization: `Bearer ${ticket}` }
  if (last) headers['Last-Event-ID'] = last
  const response = await fetch(address, { headers })
  if (response.status !== 200) throw new Error(`status ${response.status}`)
  const parser = createParser({
    onEvent(event) {
      if (event.id !== undefined) last = event.id
      report(last, event.event ?? 'message', event.data)
    },
    onRetry: (ms) => (wait = ms),
    onError: (error) => report('', 'error', error.message),
  })
  const decoder = new TextDecoder()
  for await (const chunk of response.body) parser.feed(decoder.decode(chunk, { stream: true }))
}

for (;;) {
  await connection().catch(() => {}) // a cut connection: come back
  await new Promise((resolve) => setTimeout(resolve, wait))
}

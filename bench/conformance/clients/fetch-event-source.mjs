// The package fetch-event-source is made for pages: in Node it needs something like a window.
globalThis.window = globalThis
globalThis.document = { hidden: false, addEventListener() {}, removeEventListener() {} }
const { fetchEventSource } = await import('@microsoft/fetch-event-source')
const { address, report, ticket } = await import('./report.mjs')

let last = ''
fetchEventSource(address, {
  headers: { Authorization: `Bearer ${ticket}` },
  onmessage(event) {
    if (event.id) last = event.id
    report(last, event.event || 'message', event.data)
  },
}).then(
  () => report('', 'closed', ''),
  (error) => report('', 'error', String(error)),
)

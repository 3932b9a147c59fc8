// The package eventsource, as its documentation shows it, with a header of one's own.
import { EventSource } from 'eventsource'
import { address, report, ticket, types } from './report.mjs'

const source = new EventSource(address, {
  fetch: (input, init) => fetch(input, { ...init, headers: { ...init.headers, Authorization: `Bearer ${ticket}` } }),
})
for (const type of types) {
  source.addEventListener(type, (event) => report(event.lastEventId, event.type, event.data))
}
source.onerror = () => source.readyState === EventSource.CLOSED && report('', 'closed', '')

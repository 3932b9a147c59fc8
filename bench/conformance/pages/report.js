// What every page does: sign in where it is told to, and tell the test what it gets, in order.
export const query = new URLSearchParams(location.search)
export const belfry = query.get('belfry') ?? ''

let queue = []
let sending = false

export async function report(id, type, data) {
  queue.push({ id, type, data })
  if (sending) return
  sending = true
  while (queue.length > 0) {
    const body = JSON.stringify(queue)
    queue = []
    await fetch('/report', { method: 'POST', body })
  }
  sending = false
}

export const reportEvent = (event) => report(event.lastEventId, event.type, event.data)

export async function signIn() {
  const response = await fetch(belfry + '/api/v1/login', {
    method: 'POST',
    credentials: 'include',
    headers: { 'Content-Type': 'application/json' },
    body: JSON.stringify({ username: query.get('user'), password: query.get('password') }),
  })
  if (!response.ok) throw new Error(`login: ${response.status}`)
}

export const types = ['hello', 'lock', 'notice', 'notice_state', 'reset', 'pause']

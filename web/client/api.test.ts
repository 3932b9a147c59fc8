// @vitest-environment node
import { expect, it, vi } from 'vitest'
import { Api } from './api'
import { Problem } from './problem'

function api(status: number, body: unknown, headers: Record<string, string> = {}) {
  const type = status < 400 ? 'application/json' : 'application/problem+json'
  const text = status === 204 ? null : JSON.stringify(body)
  const fetch = vi.fn<typeof globalThis.fetch>(() =>
    Promise.resolve(new Response(text, { status, headers: { 'Content-Type': type, ...headers } })),
  )
  const onProblem = vi.fn()
  return { api: new Api({ fetch, onProblem }), fetch, onProblem }
}

it('asks with the cookie and reads the answer', async () => {
  const { api: belfry, fetch } = api(200, { items: [], unread: 3 })
  const page = await belfry.notices({ state: 'unread', q: 'a&b', limit: 10 })
  expect(page.unread).toBe(3)
  const [url, init] = fetch.mock.calls[0] ?? []
  expect(url).toBe('/api/v1/notices?state=unread&q=a%26b&limit=10')
  expect(init).toMatchObject({ method: 'GET', credentials: 'include' })
})

it('sends JSON, and the key that makes a repeat harmless', async () => {
  const { api: belfry, fetch } = api(201, { id: 1, cursor: 'e-1' })
  await belfry.publish({ to: { users: ['ann'] }, title: 'Hi' }, 'k1')
  const init = fetch.mock.calls[0]?.[1]
  expect(new Headers(init?.headers).get('Idempotency-Key')).toBe('k1')
  expect(new Headers(init?.headers).get('Content-Type')).toBe('application/json')
  expect(JSON.parse(String(init?.body))).toEqual({ to: { users: ['ann'] }, title: 'Hi' })
})

it('has nothing to say after 204', async () => {
  await expect(api(204, null).api.logout()).resolves.toBeUndefined()
})

it('names in the path are escaped', async () => {
  const { api: belfry, fetch } = api(204, null)
  await belfry.endSession('../x')
  expect(fetch.mock.calls[0]?.[0]).toBe('/api/v1/sessions/..%2Fx')
})

it('throws what the server refused, whole', async () => {
  const { api: belfry, onProblem } = api(
    401,
    { code: 'unauthenticated', detail: 'Wrong password', attempts_left: 2 },
    { 'Retry-After': '3' },
  )
  const problem = await belfry.unlock('x').catch((error: unknown) => error)
  expect(problem).toBeInstanceOf(Problem)
  expect(problem).toMatchObject({
    status: 401,
    code: 'unauthenticated',
    message: 'Wrong password',
    attemptsLeft: 2,
    retryAfterMs: 3000,
  })
  expect(onProblem).not.toHaveBeenCalled()
})

it('tells of a refusal that concerns the session, whatever was asked', async () => {
  const { api: belfry, onProblem } = api(401, { code: 'unauthenticated', reason: 'revoked' })
  const problem = await belfry.notices().catch((error: unknown) => error)
  expect(onProblem).toHaveBeenCalledWith(problem)
  expect(problem).toMatchObject({ reason: 'revoked' })
})

it('does not show the page of a proxy as an error text', async () => {
  const fetch = () =>
    Promise.resolve(
      new Response('<h1>secret</h1>', { status: 502, headers: { 'Content-Type': 'text/html' } }),
    )
  const problem = await new Api({ fetch }).session().catch((error: unknown) => error)
  expect(problem).toMatchObject({ status: 502, code: 'unexpected', message: 'HTTP 502' })
})

it('says when nothing answered', async () => {
  const fetch = () => Promise.reject(new TypeError('Failed to fetch'))
  const problem = await new Api({ fetch }).session().catch((error: unknown) => error)
  expect(problem).toMatchObject({ status: 0, code: 'network' })
})

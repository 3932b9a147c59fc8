// @vitest-environment node
import { expect, it, vi } from 'vitest'
import { AdminApi } from './admin'
import { Api } from './api'
import { Problem } from './problem'
import type { CredentialJson } from './types'

function api(status: number, body: unknown, headers: Record<string, string> = {}) {
  const type = status < 400 ? 'application/json' : 'application/problem+json'
  const text = status === 204 ? null : JSON.stringify(body)
  const fetch = vi.fn<typeof globalThis.fetch>(() =>
    Promise.resolve(new Response(text, { status, headers: { 'Content-Type': type, ...headers } })),
  )
  const onProblem = vi.fn()
  return { api: new Api({ fetch, onProblem }), fetch, onProblem }
}

const passkey = { id: 'AA', type: 'public-key' } as CredentialJson

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

it.each([
  ['a passkey', (belfry: Api) => belfry.finishPasskeyUnlock('c', passkey)],
  ['the provider', (belfry: Api) => belfry.finishSignOn({ code: 'c', state: 's' })],
])('a refusal of %s says nothing of the session', async (_name, prove) => {
  const { api: belfry, onProblem } = api(401, { code: 'unauthenticated', attempts_left: 4 })
  await expect(prove(belfry)).rejects.toMatchObject({ attemptsLeft: 4 })
  expect(onProblem).not.toHaveBeenCalled()
})

it('a refusal to begin a ceremony does concern the session', async () => {
  const { api: belfry, onProblem } = api(401, { code: 'unauthenticated', reason: 'max_age' })
  await belfry.beginPasskeyUnlock().catch(() => null)
  expect(onProblem).toHaveBeenCalledOnce()
})

it('sends a code only where there is one', async () => {
  const { api: belfry, fetch } = api(200, {})
  await belfry.login('ann', 'pw')
  await belfry.login('ann', 'pw', '123456')
  const sent = fetch.mock.calls.map(([, init]) => JSON.parse(String(init?.body)) as object)
  expect(sent).toEqual([
    { username: 'ann', password: 'pw' },
    { username: 'ann', password: 'pw', code: '123456' },
  ])
})

it('knows where the audit log can be downloaded, filtered as it is shown', () => {
  const url = new AdminApi(new Api({ baseUrl: 'https://b.example' })).auditExportUrl({
    action: 'key.',
    user: '',
  })
  expect(url).toBe('https://b.example/api/v1/audit/export?action=key.')
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

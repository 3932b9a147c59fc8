// @vitest-environment node
import { afterEach, expect, it, vi } from 'vitest'
import { ticketFrom } from './ticket'

afterEach(() => vi.unstubAllGlobals())

it('asks the page’s server with its cookies, and hands on what it says', async () => {
  const ticket = { token: 't', expires_in_ms: 60_000 }
  const fetch = vi.fn(() => Promise.resolve(Response.json(ticket, { status: 201 })))
  vi.stubGlobal('fetch', fetch)
  expect(await ticketFrom('/my/ticket')()).toEqual(ticket)
  expect(fetch).toHaveBeenCalledWith(
    '/my/ticket',
    expect.objectContaining({ method: 'POST', credentials: 'include' }),
  )
})

it('says by which status it was refused, whatever the page’s server writes', async () => {
  vi.stubGlobal('fetch', () => Promise.resolve(new Response('<h1>No</h1>', { status: 403 })))
  await expect(ticketFrom('/my/ticket')()).rejects.toMatchObject({
    name: 'Problem',
    status: 403,
    code: 'unexpected',
  })
})

it('knows a server that cannot be reached', async () => {
  vi.stubGlobal('fetch', () => Promise.reject(new TypeError('Failed to fetch')))
  await expect(ticketFrom('/my/ticket')()).rejects.toMatchObject({ code: 'network', status: 0 })
})

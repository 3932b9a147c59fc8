import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import { settle } from '../fake'
import { BelfryBell } from './bell'
import { Connection } from './connection'
import { FakeStream, notice } from './fake'
import { SessionWatch } from './session'
import type { Notice } from '../types'

customElements.define('belfry-bell', BelfryBell)

let stream: FakeStream
let watch: SessionWatch

beforeEach(() => {
  vi.stubGlobal('fetch', async () =>
    Response.json({ items: [], next_before: null, unread: 0, cursor: 'e-1' }),
  )
  stream = new FakeStream()
  watch = new SessionWatch('')
  const connection = { stream, watch, use: () => () => undefined }
  vi.spyOn(Connection, 'of').mockReturnValue(connection as unknown as Connection)
})
afterEach(() => {
  document.body.innerHTML = ''
  vi.unstubAllGlobals()
})

it('keeps nothing of what it has read out once the page is locked', async () => {
  const bell = document.createElement('belfry-bell')
  document.body.append(bell)
  const limits = { idle_remaining_ms: 9e5, max_remaining_ms: 4e7 }
  watch.adopt({ id: 's1', state: 'active', user: { username: 'bob' }, ...limits } as never)
  await settle()
  for (const severity of ['info', 'critical'] as const) {
    const id = severity === 'info' ? 2 : 3
    stream.say('notice', { id: `e-${id}`, data: notice(id, { severity }) })
  }
  expect(bell.shadowRoot?.textContent).toContain('Notice 2')
  watch.onLock({ state: 'locked', reason: 'manual', ...limits })
  expect(bell.shadowRoot?.textContent).not.toContain('Notice')
})

/** A bell behind which these lie. */
async function withNotices(...items: Notice[]) {
  const asks = vi
    .spyOn(watch.api, 'notices')
    .mockResolvedValue({ items, next_before: null, unread: items.length, cursor: 'e-9' })
  // Neither is in the tests' document.
  Object.assign(HTMLElement.prototype, { showPopover: vi.fn(), hidePopover: vi.fn() })
  const bell = document.createElement('belfry-bell')
  document.body.append(bell)
  const limits = { idle_remaining_ms: 9e5, max_remaining_ms: 4e7 }
  watch.adopt({ id: 's1', state: 'active', user: { username: 'bob' }, ...limits } as never)
  const links = () => [...bell.shadowRoot!.querySelectorAll<HTMLAnchorElement>('a.open')]
  await vi.waitFor(() => expect(links()).toHaveLength(items.length))
  return { bell, links, asks }
}

it.each([
  ['https://example.com/a', 'https://example.com/a'],
  ['/orders/7', `${location.origin}/orders/7`],
  ['javascript:alert(1)', `${location.origin}/inbox/2`],
  ['data:text/html,x', `${location.origin}/inbox/2`],
  [null, `${location.origin}/inbox/2`],
])('leads with %s to %s', async (url, href) => {
  const { links } = await withNotices(notice(2, { url }))
  expect(links().map((link) => link.href)).toEqual([href])
})

it('lets a page open a notice in its own way', async () => {
  const { bell, links } = await withNotices(notice(2, { read_at: '2026-05-01T09:00:00.000Z' }))
  const click = () => {
    const event = new MouseEvent('click', { bubbles: true, cancelable: true })
    links()[0]!.dispatchEvent(event)
    return event.defaultPrevented
  }
  // The tests' document is not to be left.
  bell.shadowRoot!.addEventListener('click', (event) => event.stopPropagation())
  const opened = vi.fn((event: Event) => event.preventDefault())
  bell.addEventListener('belfry-open', opened)
  expect(click()).toBe(true)
  expect(opened).toHaveBeenCalledOnce()
})

it('hears nothing more once it is taken off the page', async () => {
  const { bell, asks } = await withNotices(notice(2))
  const heard = vi.fn()
  bell.addEventListener('belfry-notice', heard)
  const text = bell.shadowRoot!.textContent
  bell.remove()
  asks.mockClear()
  stream.say('notice', { id: 'e-10', data: notice(10) })
  stream.say('reset', { reason: 'trimmed', head: 'e-10' })
  expect(heard).not.toHaveBeenCalled()
  expect(asks).not.toHaveBeenCalled()
  expect(bell.shadowRoot!.textContent).toBe(text)
})

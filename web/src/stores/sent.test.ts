import { createPinia, setActivePinia } from 'pinia'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { nextTick } from 'vue'
import type { SentNotice } from '@client'
import { nextDue, stateOf, useSent } from './sent'
import { useSession } from './session'
import { aNotice, aSession, later, ok, refuse, serve, type Answer } from '@/testing'

function aSent(n: number, wishes: Partial<SentNotice> = {}): SentNotice {
  return {
    ...aNotice(n),
    to: { users: ['bob'], groups: [], everyone: false },
    deliver_at: null,
    withdrawn_at: null,
    recipients: 1,
    reads: 0,
    ...wishes,
  }
}

const waiting = (deliver_at: string) => ({ cursor: null, deliver_at })
const page = (items: SentNotice[], next_before: string | null = null) => ok({ items, next_before })

const locked = {
  state: 'locked',
  reason: 'idle',
  idle_remaining_ms: 0,
  max_remaining_ms: 1,
} as const

/** What a server answers that has `count` of them. */
function sentPage(path: string, count: number): Answer {
  const query = new URLSearchParams(path.split('?')[1])
  const [limit, before] = [Number(query.get('limit')), query.get('before')?.slice(2)]
  const newest = before ? Number(before) - 1 : count
  const length = Math.min(limit, 200, newest)
  const items = Array.from({ length }, (_, n) => aSent(newest - n))
  return page(items, newest > length ? `e-${newest - length + 1}` : null)
}

beforeEach(() => setActivePinia(createPinia()))
afterEach(() => vi.unstubAllGlobals())

function signedIn(routes: Parameters<typeof serve>[0]) {
  const made = serve(routes)
  const session = useSession()
  session.adopt(aSession())
  return { session, sent: useSent(), made }
}

describe('a message that was sent', () => {
  const now = Date.parse('2026-06-01T12:00:00Z')

  it.each([
    ['delivered', aSent(1)],
    ['scheduled', aSent(1, waiting('2026-06-01T12:00:01Z'))],
    ['due', aSent(1, waiting('2026-06-01T12:00:00Z'))],
    ['withdrawn', aSent(1, { withdrawn_at: '2026-06-01T11:00:00Z' })],
    [
      'withdrawn',
      aSent(1, { ...waiting('2026-06-02T12:00:00Z'), withdrawn_at: '2026-06-01T11:00:00Z' }),
    ],
  ])('is %s', (state, notice) => {
    expect(stateOf(notice, now)).toBe(state)
  })

  it('is next due where it was not taken back', () => {
    const taken = { withdrawn_at: '2026-06-01T11:00:00Z' }
    const items = [
      aSent(4, waiting('2026-06-01T15:00:00Z')),
      aSent(3, waiting('2026-06-01T14:00:00Z')),
      aSent(2, { ...waiting('2026-06-01T13:00:00Z'), ...taken }),
      aSent(1),
    ]
    expect(nextDue(items)).toBe(Date.parse('2026-06-01T14:00:00Z'))
    expect(nextDue([aSent(1)])).toBe(Infinity)
  })
})

describe('the list of what was sent', () => {
  it('grows by older pages, and is asked for again as long as it was', async () => {
    const first = Array.from({ length: 50 }, (_, n) => aSent(100 - n))
    const { sent, made } = signedIn({
      'GET /notices/sent': ({ path }) =>
        path.includes('before') ? page([aSent(50), aSent(49)]) : page(first, 'e-51'),
    })
    await sent.load()
    await sent.more()
    expect(sent.items.map(({ id }) => id).slice(-3)).toEqual([51, 50, 49])
    expect(sent.nextBefore).toBeNull()
    await sent.load()
    expect(made).toContain('GET /notices/sent?limit=52')
  })

  it('is as long as it was, however long that is, when it is asked for again', async () => {
    const { sent } = signedIn({ 'GET /notices/sent': ({ path }) => sentPage(path, 500) })
    await sent.load()
    while (sent.nextBefore) await sent.more()
    expect(sent.items).toHaveLength(500)
    await sent.load()
    expect(sent.items.map(({ id }) => id)).toEqual(Array.from({ length: 500 }, (_, n) => 500 - n))
    expect(sent.nextBefore).toBeNull()
  })

  it('grows also where a look meanwhile has overtaken the older page', async () => {
    const slow = later<Answer>()
    const { sent } = signedIn({
      'GET /notices/sent': ({ path }) =>
        path.includes('before') ? slow.promise : sentPage(path, 500),
    })
    await sent.load()
    const more = sent.more()
    await sent.load()
    slow.resolve(sentPage('?before=e-451&limit=50', 500))
    await more
    expect(sent.items).toHaveLength(100)
  })

  it('says that the older ones did not come, and brings them with the next look', async () => {
    let broken = true
    const { sent } = signedIn({
      'GET /notices/sent': ({ path }) =>
        broken && path.includes('before') ? refuse(503, 'unavailable') : sentPage(path, 500),
    })
    await sent.load()
    await sent.more()
    expect([sent.state, sent.items.length]).toEqual(['failed', 50])
    broken = false
    await sent.retry()
    expect([sent.state, sent.items.length]).toEqual(['ready', 100])
  })

  it('drops an answer that a newer question has overtaken', async () => {
    const slow = later<Answer>()
    const answers = [slow.promise, Promise.resolve(page([aSent(2)]))]
    const { sent } = signedIn({ 'GET /notices/sent': () => answers.shift() ?? page([]) })
    const older = sent.load()
    await sent.load()
    slow.resolve(page([aSent(1)]))
    await older
    expect(sent.items.map(({ id }) => id)).toEqual([2])
  })

  it('is gone while the page is covered, and what was on its way does not bring it back', async () => {
    const slow = later<Answer>()
    const { sent, session } = signedIn({ 'GET /notices/sent': () => slow.promise })
    const loading = sent.load()
    session.onLock(locked)
    slow.resolve(page([aSent(1)]))
    await loading
    expect(sent.items).toEqual([])
    expect(sent.state).toBe('loading')
  })

  it('is gone under a cover that comes when nobody looks at it any more', async () => {
    const { sent, session } = signedIn({ 'GET /notices/sent': () => page([aSent(1)], 'e-1') })
    await sent.load()
    session.onLock(locked)
    await nextTick()
    expect([sent.items, sent.nextBefore]).toEqual([[], null])
    expect(sent.state).toBe('loading')
  })

  it('stays where it could not be loaded again, and says so where it never was', async () => {
    const answers = [refuse(503, 'unavailable'), page([aSent(1)]), refuse(503, 'unavailable')]
    const { sent } = signedIn({ 'GET /notices/sent': () => answers.shift() ?? page([]) })
    await sent.load()
    expect(sent.state).toBe('failed')
    await sent.load()
    await sent.load()
    expect(sent.state).toBe('ready')
    expect(sent.items).toHaveLength(1)
  })

  it('shows what was taken back as withdrawn, and says why where it was not', async () => {
    const withdrawn_at = '2026-06-01T12:00:00Z'
    let answer: Answer = { status: 204, body: {} }
    const { sent } = signedIn({
      'GET /notices/sent': () => page([aSent(1, { withdrawn_at })]),
      'DELETE /notices/1': () => answer,
    })
    await sent.withdraw(1)
    expect(sent.items[0]?.withdrawn_at).toBe(withdrawn_at)
    answer = refuse(404, 'not_found')
    await expect(sent.withdraw(1)).rejects.toMatchObject({ code: 'not_found' })
  })
})

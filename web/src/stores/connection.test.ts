import { SharedStream, type NoticePage, type Reset, type SharedEvents } from '@client'
import { flushPromises } from '@vue/test-utils'
import { createPinia, setActivePinia } from 'pinia'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { aNotice, aSession, later, ok, refuse, serve, type Answer } from '@/testing'
import { useConnection } from './connection'
import { useInbox } from './inbox'
import { useSession } from './session'
import { useMessages } from './messages'
import { usePopups } from './popups'
import { useToasts } from './toasts'

/** The stream that the page made: a test says what it brings. */
let stream: { emit<Name extends keyof SharedEvents>(name: Name, data: SharedEvents[Name]): void }
const start = vi.fn()
const stop = vi.fn()

beforeEach(() => {
  setActivePinia(createPinia())
  start.mockClear()
  stop.mockClear()
  vi.spyOn(SharedStream.prototype, 'stop').mockImplementation(stop)
  vi.spyOn(SharedStream.prototype, 'start').mockImplementation(function (
    this: SharedStream,
    position,
  ) {
    stream = this as unknown as typeof stream
    start(position)
  })
})
afterEach(() => {
  vi.restoreAllMocks()
  vi.unstubAllGlobals()
})

const page = (offsets: number[], epoch: string): Answer => {
  const items = offsets.map((n) => aNotice(n, { cursor: `${epoch}-${n}` }))
  const body: NoticePage = { items, next_before: null, unread: 0, cursor: `${epoch}-${offsets[0]}` }
  return ok(body)
}
const lock = (state: 'active' | 'locked' | 'ended') => ({
  state,
  reason: null,
  idle_remaining_ms: 900_000,
  max_remaining_ms: 43_200_000,
})
const hello = {
  session: aSession(),
  unread: 0,
  head: 'f-2',
  resumed: true,
  heartbeat_ms: 15_000,
  now: '2026-01-01T00:00:00.000Z',
}

/** Follows the session, and counts what is popped up and taken down again. */
function followWithPopups(open: (id: number) => void = () => undefined) {
  const popups = usePopups()
  const [announce, hush] = [vi.spyOn(popups, 'announce'), vi.spyOn(popups, 'hush')]
  const [closeUpTo, closeWaiting] = [
    vi.spyOn(popups, 'closeUpTo'),
    vi.spyOn(popups, 'closeWaiting'),
  ]
  const poppedUp = () => announce.mock.calls.map(([{ id }]) => id)
  useConnection().follow(open)
  return { announce, hush, closeUpTo, closeWaiting, poppedUp }
}

/** A page with notices 9 and 8 on show; each further load gets the next answer. */
async function following(...answers: Answer[]) {
  const pages = [page([9, 8], 'e'), ...answers]
  const late = later<Answer>()
  const made = serve({
    'POST /login': () => ok(aSession()),
    'POST /session/unlock': () => ok(aSession()),
    'GET /session': () => ok(aSession()),
    'GET /notices': () => pages.shift() ?? refuse(500, 'internal'),
    'GET /notices/77': () => late.promise,
    'POST /notices/state': () => ok({ changed: 1, unread: 0 }),
  })
  const [session, inbox, toasts] = [useSession(), useInbox(), useToasts()]
  const opened: number[] = []
  const popups = followWithPopups((id) => opened.push(id))
  await session.signIn('ann', 'pw')
  await flushPromises()
  const loads = () => made.filter((request) => request.startsWith('GET /notices')).length
  const shown = () => inbox.items.map(({ id }) => id)
  const bring = (id: string, n: number) => stream.emit('notice', { id, data: aNotice(n) })
  const reset = async (reason: Reset['reason'], head: string) => {
    stream.emit('reset', { reason, head })
    await flushPromises()
  }
  return { session, inbox, toasts, loads, shown, bring, reset, popups, opened, late }
}

it('listens from where the inbox ends', async () => {
  const { shown } = await following()
  expect(start).toHaveBeenCalledExactlyOnceWith('e-9')
  expect(shown()).toEqual([9, 8])
})

it('says under a lock no longer what was done to which notice', async () => {
  await following()
  const messages = useMessages()
  messages.say('Archived “9”', () => undefined)
  stream.emit('lock', lock('locked'))
  expect(messages.current).toBeNull()
})

describe('a reset', () => {
  it('loads the inbox anew, and announces nothing of it', async () => {
    const { shown, toasts, reset } = await following(page([3, 2], 'f'))
    await reset('epoch', 'f-3')
    expect(shown()).toEqual([3, 2])
    expect(toasts.current).toBeNull()
  })

  it('shows once what comes while the inbox is loaded, and after', async () => {
    const { shown, bring, reset } = await following(page([10, 9, 8], 'f'))
    const done = reset('epoch', 'f-9')
    bring('f-10', 10)
    await done
    bring('f-11', 11)
    expect(shown()).toEqual([11, 10, 9, 8])
  })

  it('shows what has the id of one that was withdrawn in the log before it', async () => {
    const { inbox, shown, reset } = await following(page([9, 8], 'f'))
    const data = { ids: [9], state: 'withdrawn' as const, unread: 0 }
    stream.emit('notice_state', { id: 'e-10', data })
    expect(shown()).toEqual([8])
    await reset('epoch', 'f-9')
    expect(shown()).toEqual([9, 8])
    expect(inbox.isWithdrawn(9)).toBe(false)
  })

  it('waits until a locked page may ask again', async () => {
    const { session, shown, bring, loads, reset } = await following(page([11, 10], 'e'))
    stream.emit('lock', lock('locked'))
    await reset('trimmed', 'e-10')
    expect(loads()).toBe(1)
    bring('e-11', 11)
    await session.unlock('pw')
    await flushPromises()
    expect(shown()).toEqual([11, 10])
  })

  it('is made up for at the next greeting when the inbox could not be loaded', async () => {
    const { inbox, shown, bring, reset } = await following(
      refuse(503, 'unavailable'),
      page([10, 9], 'f'),
    )
    await reset('epoch', 'f-9')
    expect(inbox.state).toBe('failed')
    bring('f-11', 11)
    stream.emit('hello', hello)
    await flushPromises()
    expect(shown()).toEqual([11, 10, 9])
  })

  it.each([
    ['epoch', null],
    ['invalid', null],
    ['trimmed', 10],
  ] as const)('for %s takes back what was announced of another log', async (reason, left) => {
    const { toasts, bring, reset } = await following(page([1], 'f'))
    bring('e-10', 10)
    await reset(reason, 'f-1')
    const { current } = toasts
    expect(current?.kind === 'notice' ? current.notice.id : current).toBe(left)
  })

  it('takes back what a locked page kept to announce later', async () => {
    const { session, toasts, bring, reset } = await following(page([1], 'f'))
    stream.emit('lock', lock('locked'))
    bring('e-10', 10)
    await reset('epoch', 'f-1')
    await session.unlock('pw')
    expect(toasts.current).toBeNull()
  })
})

describe('what was read elsewhere', () => {
  const read = (id: string, which: { ids: number[] } | { up_to: string }) =>
    stream.emit('notice_state', { id, data: { ...which, state: 'read', unread: 0 } })

  it.each([{ ids: [10, 11] }, { up_to: 'e-11' }])('is announced no more: %j', async (which) => {
    const { toasts, bring } = await following()
    ;[10, 11, 12].forEach((n) => bring(`e-${n}`, n))
    read('e-13', which)
    expect(toasts.current).toMatchObject({ notice: { id: 12 } })
  })

  it.each([{ ids: [10] }, { up_to: 'e-10' }])(
    'behind a cover is not announced: %j',
    async (which) => {
      const { session, toasts, bring } = await following(page([10], 'e'))
      stream.emit('lock', lock('locked'))
      // Another tab has unlocked: what was withheld comes before this one may be seen again.
      stream.emit('lock', lock('active'))
      bring('e-10', 10)
      read('e-11', which)
      await flushPromises()
      expect(session.covered).toBe(false)
      expect(toasts.current).toBeNull()
    },
  )
})

it('asks for the inbox once where nothing failed', async () => {
  const { loads } = await following()
  stream.emit('hello', hello)
  await flushPromises()
  expect(loads()).toBe(1)
})

describe('a lock', () => {
  it('takes back what was announced, and keeps what comes until the page is seen', async () => {
    const { session, toasts, bring, popups } = await following(page([11, 10], 'e'))
    bring('e-10', 10)
    expect(toasts.current).toMatchObject({ notice: { id: 10 } })
    popups.hush.mockClear()
    stream.emit('lock', lock('locked'))
    expect(toasts.current).toBeNull()
    expect(popups.hush).toHaveBeenCalledOnce()
    bring('e-11', 11)
    expect(toasts.current).toBeNull()
    await session.unlock('pw')
    expect(toasts.current).toMatchObject({ notice: { id: 11 } })
  })

  it('lets nothing pop up', async () => {
    const { session, bring, popups, opened } = await following(page([11, 10], 'e'))
    stream.emit('announce', { id: 'e-10', data: aNotice(10) })
    expect(popups.poppedUp()).toEqual([10])
    popups.announce.mock.calls[0]![1]()
    expect(opened).toEqual([10])
    stream.emit('lock', lock('locked'))
    bring('e-11', 11)
    stream.emit('announce', { id: 'e-11', data: aNotice(11) })
    expect(popups.poppedUp()).toEqual([10])
    popups.closeWaiting.mockClear()
    await session.unlock('pw')
    // Nothing has to say any more that something waits.
    expect(popups.closeWaiting).toHaveBeenCalledOnce()
  })

  it('that a page begins with is followed', async () => {
    serve({ 'GET /session': () => ok(aSession({ state: 'locked' })) })
    useConnection().follow(() => undefined)
    await useSession().check()
    await flushPromises()
    expect(start).toHaveBeenCalledExactlyOnceWith(null)
  })
})

describe('the end', () => {
  it('leaves nothing for whoever signs in next', async () => {
    const { session, inbox, toasts, bring } = await following(page([10], 'e'))
    stream.emit('lock', lock('locked'))
    bring('e-10', 10)
    stream.emit('lock', lock('ended'))
    expect(stop).toHaveBeenCalledOnce()
    expect(inbox.items).toEqual([])
    await session.signIn('ann', 'pw')
    await flushPromises()
    expect(toasts.current).toBeNull()
    expect(start).toHaveBeenLastCalledWith('e-10')
  })

  it('that comes while the page is on show puts it away', async () => {
    const { inbox, toasts, bring } = await following()
    bring('e-10', 10)
    stream.emit('lock', lock('ended'))
    expect([inbox.items, inbox.get(9), toasts.current]).toEqual([[], null, null])
  })

  it('that comes while the inbox is loaded opens no stream', async () => {
    const answer = later<Answer>()
    serve({ 'POST /login': () => ok(aSession()), 'GET /notices': () => answer.promise })
    const session = useSession()
    useConnection().follow(() => undefined)
    await session.signIn('ann', 'pw')
    session.end('revoked')
    answer.resolve(page([9], 'e'))
    await flushPromises()
    expect(start).not.toHaveBeenCalled()
  })

  it('is told by the stream, with its reason', async () => {
    const { session } = await following()
    stream.emit('status', { state: 'ended', reason: 'revoked' })
    expect([session.phase, session.reason]).toEqual(['ended', 'revoked'])
  })
})

it('begins anew where another session takes the place of this one, and only then', async () => {
  const { session } = await following(page([10], 'e'))
  stream.emit('session', aSession())
  await flushPromises()
  expect(start).toHaveBeenCalledOnce()
  stream.emit('session', aSession({ id: 's2' }))
  await flushPromises()
  expect(session.session?.id).toBe('s2')
  expect(start).toHaveBeenLastCalledWith('e-10')
})

describe('what was put off', () => {
  const change = (n: number, data: object) =>
    stream.emit('notice_state', { id: `e-${n}`, data: { unread: 0, ...data } as never })
  const soon = (ms: number) => new Date(Date.now() + ms).toISOString()

  it.each([
    [1_000, [9]],
    [3_600_000, []],
  ])('for %i ms more and is back is announced again: %j', async (ms, announced) => {
    const { popups } = await following()
    change(10, { ids: [9], state: 'snoozed', snoozed_until: soon(ms) })
    change(11, { ids: [9], state: 'unsnoozed' })
    await flushPromises()
    expect(popups.poppedUp()).toEqual(announced)
  })

  it('and is taken back here is not announced', async () => {
    const { inbox, popups } = await following()
    change(10, { ids: [9], state: 'snoozed', snoozed_until: soon(1_000) })
    const done = inbox.mark([9], 'unsnoozed')
    change(11, { ids: [9], state: 'unsnoozed' })
    await done
    await flushPromises()
    expect(popups.poppedUp()).toEqual([])
  })

  it('is announced ten at most, of those that are back together', async () => {
    const ids = Array.from({ length: 12 }, (_, n) => 31 - n)
    const { popups, reset } = await following(page(ids, 'f'))
    await reset('epoch', 'f-31')
    stream.emit('notice_state', { id: 'f-32', data: { ids, state: 'unsnoozed', unread: 12 } })
    await flushPromises()
    expect(popups.poppedUp()).toEqual(ids.slice(0, 10))
  })

  it('is not popped up where a lock comes before its text', async () => {
    const { popups, toasts, late } = await following()
    change(10, { ids: [77], state: 'unsnoozed' })
    stream.emit('lock', lock('locked'))
    late.resolve(ok(aNotice(77)))
    await flushPromises()
    expect([popups.poppedUp(), toasts.current]).toEqual([[], null])
  })
})

it('lets stay what was marked unread elsewhere, and takes down what was read up to somewhere', async () => {
  const { toasts, bring, popups } = await following()
  bring('e-10', 10)
  stream.emit('notice_state', { id: 'e-11', data: { ids: [10], state: 'unread', unread: 1 } })
  expect(toasts.current).toMatchObject({ notice: { id: 10 } })
  stream.emit('notice_state', { id: 'e-12', data: { up_to: 'e-10', state: 'read', unread: 0 } })
  expect(toasts.current).toBeNull()
  expect(popups.closeUpTo.mock.calls).toEqual([['e-10']])
})

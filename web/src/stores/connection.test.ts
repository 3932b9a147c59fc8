import { SharedStream, type NoticePage, type Reset, type SharedEvents } from '@client'
import { flushPromises } from '@vue/test-utils'
import { createPinia, setActivePinia } from 'pinia'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { aNotice, aSession, ok, refuse, serve, type Answer } from '@/testing'
import { useConnection } from './connection'
import { useInbox } from './inbox'
import { useSession } from './session'
import { useMessages } from './messages'
import { useToasts } from './toasts'

/** The stream that the page made: a test says what it brings. */
let stream: { emit<Name extends keyof SharedEvents>(name: Name, data: SharedEvents[Name]): void }
const start = vi.fn()

beforeEach(() => {
  setActivePinia(createPinia())
  start.mockClear()
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
const lock = (state: 'active' | 'locked') => ({
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

/** A page with notices 9 and 8 on show; each further load gets the next answer. */
async function following(...answers: Answer[]) {
  const pages = [page([9, 8], 'e'), ...answers]
  const made = serve({
    'POST /login': () => ok(aSession()),
    'POST /session/unlock': () => ok(aSession()),
    'GET /session': () => ok(aSession()),
    'GET /notices': () => pages.shift() ?? refuse(500, 'internal'),
  })
  const [session, inbox, toasts] = [useSession(), useInbox(), useToasts()]
  useConnection().follow(() => undefined)
  await session.signIn('ann', 'pw')
  await flushPromises()
  const loads = () => made.filter((request) => request.startsWith('GET /notices')).length
  const shown = () => inbox.items.map(({ id }) => id)
  const bring = (id: string, n: number) => stream.emit('notice', { id, data: aNotice(n) })
  const reset = async (reason: Reset['reason'], head: string) => {
    stream.emit('reset', { reason, head })
    await flushPromises()
  }
  return { session, inbox, toasts, loads, shown, bring, reset }
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

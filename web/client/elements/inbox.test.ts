// @vitest-environment node
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { Emitter } from '../emitter'
import { settle } from '../fake'
import { Problem } from '../problem'
import type { Hello, NoticePage, NoticeState } from '../types'
import type { Connection } from './connection'
import { FakeStream, notice } from './fake'
import { Inbox } from './inbox'
import type { Phase, SessionEvents } from './session'

const page = (ids: number[], unread: number, cursor: number): NoticePage => ({
  items: ids.map((id) => notice(id)),
  next_before: null,
  unread,
  cursor: `e-${cursor}`,
})
const hello = (head: number, unread: number | null): Hello => ({
  ...{ session: null, unread, head: `e-${head}`, resumed: true, heartbeat_ms: 1_000, now: '' },
})

class FakeWatch extends Emitter<SessionEvents> {
  phase: Phase = 'active'
  readonly api = { notices: vi.fn(), markNotices: vi.fn() }

  enter(phase: Phase): void {
    this.phase = phase
    this.emit('change', phase)
  }
}

let stream: FakeStream
let watch: FakeWatch
let inbox: Inbox

const say = (id: number, data: Partial<NoticeState>) =>
  stream.say('notice_state', { id: `e-${id}`, data: { unread: null, ...data } as NoticeState })
const come = (id: number) => stream.say('notice', { id: `e-${id}`, data: notice(id) })
const ids = () => inbox.items.map(({ id }) => id)

beforeEach(() => {
  stream = new FakeStream()
})

describe('by cookie', () => {
  beforeEach(async () => {
    watch = new FakeWatch()
    watch.api.notices.mockResolvedValue(page([3, 2, 1], 3, 3))
    inbox = new Inbox({ stream, watch } as unknown as Connection)
    await settle()
  })

  it('shows the newest, and counts what comes', () => {
    come(4)
    expect(ids()).toEqual([4, 3, 2, 1])
    expect(inbox.unread).toBe(4)
  })

  it('takes in once what came while it loaded, and nothing that it has', async () => {
    let answer: (page: NoticePage) => void = () => undefined
    watch.api.notices.mockReturnValueOnce(new Promise((resolve) => (answer = resolve)))
    void inbox.load()
    come(3)
    come(4)
    come(5)
    answer(page([4, 3], 2, 4))
    await settle()
    expect(ids()).toEqual([5, 4, 3])
    expect(inbox.unread).toBe(3)
  })

  it('does not bring back what went before the answer', async () => {
    let answer: (page: NoticePage) => void = () => undefined
    watch.api.notices.mockReturnValueOnce(new Promise((resolve) => (answer = resolve)))
    void inbox.load()
    come(4)
    answer(page([3], 1, 5))
    await settle()
    expect(ids()).toEqual([3])
  })

  it('keeps an answer from before a later one from taking its place', async () => {
    let late: (page: NoticePage) => void = () => undefined
    watch.api.notices.mockReturnValueOnce(new Promise((resolve) => (late = resolve)))
    void inbox.load()
    await inbox.load()
    late(page([1], 1, 1))
    await settle()
    expect(ids()).toEqual([3, 2, 1])
  })

  it('follows what was done on another device', () => {
    say(4, { ids: [2], state: 'read', unread: 2 })
    expect(inbox.items.find(({ id }) => id === 2)?.read_at).not.toBeNull()
    say(5, { ids: [3], state: 'archived', unread: 1 })
    expect(ids()).toEqual([2, 1])
    say(6, { up_to: 'e-9', state: 'read', unread: 0 })
    expect(inbox.items.every(({ read_at }) => read_at !== null)).toBe(true)
    expect(inbox.unread).toBe(0)
  })

  it('asks for no count when what is on show is superseded for many', async () => {
    const asked = watch.api.notices.mock.calls.length
    come(4)
    say(5, { ids: [3], state: 'superseded' })
    expect(ids()).toEqual([4, 2, 1])
    expect(inbox.unread).toBe(3)
    say(6, { ids: [2], state: 'read', unread: 2 })
    say(7, { ids: [2], state: 'superseded' })
    await settle()
    expect(inbox.unread).toBe(2)
    expect(watch.api.notices.mock.calls.length).toBe(asked)
  })

  it('asks when what is superseded for many is further down', async () => {
    watch.api.notices.mockResolvedValue(page([], 2, 5))
    say(5, { ids: [3, 0], state: 'superseded' })
    await settle()
    expect(inbox.unread).toBe(2)
  })

  it.each(['withdrawn', 'expired'] as const)(
    'asks for the count after %s, which cannot say it for each',
    async (state) => {
      watch.api.notices.mockResolvedValue(page([], 2, 4))
      say(4, { ids: [3], state })
      await settle()
      expect(ids()).toEqual([2, 1])
      expect(inbox.unread).toBe(2)
    },
  )

  it('asks where one belongs that comes back', async () => {
    watch.api.notices.mockResolvedValue(page([3, 2, 1], 3, 5))
    say(4, { ids: [2], state: 'snoozed', unread: 2 })
    expect(ids()).toEqual([3, 1])
    say(5, { ids: [2], state: 'unsnoozed', unread: 3 })
    await settle()
    expect(ids()).toEqual([3, 2, 1])
  })

  it('marks at once, and believes the server’s count', async () => {
    watch.api.markNotices.mockResolvedValue({ changed: 1, unread: 7 })
    const done = inbox.mark(inbox.items[0]!, 'read')
    expect(inbox.items[0]?.read_at).not.toBeNull()
    expect(inbox.unread).toBe(2)
    await done
    expect(inbox.unread).toBe(7)
    expect(watch.api.markNotices).toHaveBeenCalledWith({ ids: [3] }, { read: true })
  })

  it('puts back what the server refused, each in its place', async () => {
    watch.api.markNotices.mockRejectedValue(Problem.network())
    const done = inbox.mark(inbox.items[1]!, 'archived')
    expect(ids()).toEqual([3, 1])
    come(4)
    await expect(done).rejects.toThrow(Problem)
    expect(ids()).toEqual([4, 3, 2, 1])
    expect(inbox.unread).toBe(4)
  })

  it('holds no count while locked, whatever was asked for before', async () => {
    let answer: (counted: { changed: number; unread: number }) => void = () => undefined
    watch.api.markNotices.mockReturnValue(new Promise((resolve) => (answer = resolve)))
    const read = inbox.readAll()
    watch.enter('locked')
    answer({ changed: 3, unread: 1 })
    await read
    expect(inbox.unread).toBeNull()
  })

  it('marks all up to the newest that is on show', async () => {
    watch.api.markNotices.mockResolvedValue({ changed: 3, unread: 0 })
    await inbox.readAll()
    expect(watch.api.markNotices).toHaveBeenCalledWith({ up_to: 'e-3' }, { read: true })
    expect(inbox.unread).toBe(0)
  })

  it.each(['locked', 'ended', 'checking'] as const)('holds nothing once %s', async (phase) => {
    watch.enter(phase)
    expect(inbox.items).toEqual([])
    expect(inbox.unread).toBeNull()
    come(4)
    expect(inbox.items).toEqual([])
    watch.enter('active')
    await settle()
    expect(ids()).toEqual([3, 2, 1])
  })

  it('shows nothing of an answer that comes after the lock', async () => {
    let answer: (page: NoticePage) => void = () => undefined
    watch.api.notices.mockReturnValueOnce(new Promise((resolve) => (answer = resolve)))
    void inbox.load()
    watch.enter('locked')
    answer(page([4], 1, 4))
    await settle()
    expect(inbox.items).toEqual([])
  })

  it('loads again what could not be loaded, once the server greets', async () => {
    watch.api.notices.mockRejectedValueOnce(Problem.network())
    await inbox.load()
    expect(inbox.state).toBe('failed')
    stream.say('hello', hello(3, 3))
    await settle()
    expect(inbox.state).toBe('ready')
  })

  it('loads anew after a reset', async () => {
    watch.api.notices.mockResolvedValue(page([9], 1, 9))
    stream.say('reset', { reason: 'epoch', head: 'f-9' })
    await settle()
    expect(ids()).toEqual([9])
  })
})

it('hears nothing more once it is stopped', async () => {
  watch = new FakeWatch()
  watch.api.notices.mockResolvedValue(page([3, 2, 1], 3, 3))
  inbox = new Inbox({ stream, watch } as unknown as Connection)
  await settle()
  const heard = vi.fn()
  inbox.on('change', heard)
  inbox.on('arrived', heard)
  inbox.stop()
  come(4)
  say(5, { ids: [3], state: 'read', unread: 2 })
  watch.enter('locked')
  expect(heard).not.toHaveBeenCalled()
})

describe('by ticket', () => {
  afterEach(() => inbox.stop())
  beforeEach(() => {
    inbox = new Inbox({ stream, watch: null } as unknown as Connection)
    stream.say('hello', hello(10, 4))
  })

  it('shows what comes, and counts from what the greeting says', () => {
    come(11)
    expect(ids()).toEqual([11])
    expect(inbox.unread).toBe(5)
  })

  it('shows nothing any more of the log before a reset', () => {
    come(11)
    stream.say('hello', hello(12, 4))
    stream.say('reset', { reason: 'trimmed', head: 'e-12' })
    expect([ids(), inbox.unread]).toEqual([[], 4])
  })

  it('shows what it missed without counting it again', () => {
    stream.say('hello', hello(12, 6))
    come(11)
    come(12)
    come(13)
    expect(ids()).toEqual([13, 12, 11])
    expect(inbox.unread).toBe(7)
  })

  it('takes an older count for no news', () => {
    stream.say('hello', hello(12, 6))
    say(12, { ids: [3], state: 'read', unread: 9 })
    expect(inbox.unread).toBe(6)
  })

  it('comes back for a count that an event could not say, all in their own time', () => {
    vi.useFakeTimers()
    vi.stubGlobal('window', globalThis)
    for (let id = 11; id < 15; id++) say(id, { ids: [3], state: 'withdrawn' })
    expect(stream.retries).toBe(0)
    vi.advanceTimersByTime(10_000)
    expect(stream.retries).toBe(1)
    vi.useRealTimers()
    vi.unstubAllGlobals()
  })

  it('does not guess a count that it was not told', () => {
    vi.useFakeTimers()
    vi.stubGlobal('window', globalThis)
    stream.say('hello', hello(12, null))
    come(13)
    expect(inbox.unread).toBeNull()
    vi.advanceTimersByTime(10_000)
    expect(stream.retries).toBe(1)
    stream.say('hello', hello(12, null))
    stream.say('lock', { state: 'locked', reason: null, idle_remaining_ms: 0, max_remaining_ms: 1 })
    vi.advanceTimersByTime(10_000)
    expect(stream.retries).toBe(1)
    vi.useRealTimers()
    vi.unstubAllGlobals()
  })

  it('holds nothing while the session behind the ticket is locked', () => {
    come(11)
    stream.say('lock', { state: 'locked', reason: null, idle_remaining_ms: 0, max_remaining_ms: 1 })
    expect(inbox.items).toEqual([])
    expect(inbox.unread).toBeNull()
    stream.say('lock', { state: 'active', reason: null, idle_remaining_ms: 1, max_remaining_ms: 1 })
    expect(stream.retries).toBe(1)
  })

  it('shows at most twenty', () => {
    for (let id = 11; id < 60; id++) come(id)
    expect(ids()).toHaveLength(20)
    expect(ids()[0]).toBe(59)
  })
})

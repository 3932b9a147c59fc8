import type { NoticePage } from '@client'
import { flushPromises } from '@vue/test-utils'
import { createPinia, setActivePinia } from 'pinia'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { aNotice, later, ok, refuse, serve, type Answer } from '@/testing'
import { useInbox } from './inbox'

beforeEach(() => setActivePinia(createPinia()))
afterEach(() => vi.unstubAllGlobals())

const page = (offsets: number[], more: Partial<NoticePage> = {}): Answer => {
  const items = offsets.map((n) => aNotice(n))
  return ok({ items, next_before: null, unread: items.length, cursor: 'e-10', ...more })
}
const notice = (n: number) => ({ kind: 'notice' as const, id: `e-${n}`, data: aNotice(n) })
const state = (n: number, data: object) => ({
  kind: 'state' as const,
  id: `e-${n}`,
  data: { state: 'read' as const, unread: 0, ...data },
})
const ids = (inbox: ReturnType<typeof useInbox>) => inbox.items.map(({ id }) => id)

async function loaded(routes: Parameters<typeof serve>[0] = {}) {
  const made = serve({ 'GET /notices': () => page([9, 8, 7]), ...routes })
  const inbox = useInbox()
  await inbox.load()
  return { inbox, made }
}

describe('what the stream brings', () => {
  it('goes to the top and is counted', async () => {
    const { inbox } = await loaded()
    inbox.apply(notice(11))
    expect(ids(inbox)).toEqual([11, 9, 8, 7])
    expect(inbox.unread).toBe(4)
  })

  it('changes nothing when the loaded page holds it already', async () => {
    const { inbox } = await loaded()
    inbox.apply(notice(9))
    inbox.apply(state(10, { ids: [9], unread: 1 }))
    expect(ids(inbox)).toEqual([9, 8, 7])
    expect(inbox.unread).toBe(3)
  })

  it('waits while the page is being loaded, and is not lost', async () => {
    const answer = later<Answer>()
    serve({ 'GET /notices': () => answer.promise })
    const inbox = useInbox()
    const done = inbox.load()
    inbox.apply(notice(10))
    inbox.apply(notice(11))
    answer.resolve(page([10, 9]))
    await done
    expect(ids(inbox)).toEqual([11, 10, 9])
    expect(inbox.unread).toBe(3)
  })

  it('marks what was read elsewhere, and takes the count as said', async () => {
    const { inbox } = await loaded()
    inbox.apply(state(11, { ids: [8], unread: 2 }))
    expect(inbox.items.map(({ read_at }) => read_at !== null)).toEqual([false, true, false])
    expect(inbox.unread).toBe(2)
  })

  it('marks all up to a cursor', async () => {
    const { inbox } = await loaded()
    inbox.apply(state(11, { up_to: 'e-8', unread: 1 }))
    expect(inbox.items.map(({ read_at }) => read_at !== null)).toEqual([false, true, true])
  })

  it.each(['archived', 'withdrawn', 'superseded', 'expired'])('drops what was %s', async (what) => {
    const { inbox } = await loaded()
    inbox.apply(state(11, { ids: [8], state: what, unread: 2 }))
    expect(ids(inbox)).toEqual([9, 7])
  })

  it('asks for the count where the event cannot say it', async () => {
    let unread = 3
    const { inbox } = await loaded({ 'GET /notices': () => page([9, 8, 7], { unread: unread }) })
    unread = 2
    inbox.apply(state(11, { ids: [8], state: 'withdrawn', unread: null }))
    await flushPromises()
    expect(inbox.unread).toBe(2)
    expect(ids(inbox)).toEqual([9, 7])
  })

  it('does not push itself into a search or the archive', async () => {
    const { inbox } = await loaded()
    await inbox.show('inbox', 'disk')
    inbox.apply(notice(11))
    expect(ids(inbox)).not.toContain(11)
    expect(inbox.unread).toBe(4)
  })
})

describe('what the reader does', () => {
  it('is done at once', async () => {
    const answer = later<Answer>()
    const { inbox } = await loaded({ 'POST /notices/state': () => answer.promise })
    const done = inbox.mark([8], 'archived')
    expect(ids(inbox)).toEqual([9, 7])
    expect(inbox.unread).toBe(2)
    answer.resolve(ok({ changed: 1, unread: 2 }))
    await done
  })

  it('is taken back when the server refuses', async () => {
    const { inbox } = await loaded({ 'POST /notices/state': () => refuse(503, 'unavailable') })
    await expect(inbox.mark([8], 'archived')).rejects.toMatchObject({ code: 'unavailable' })
    expect(ids(inbox)).toEqual([9, 8, 7])
    expect(inbox.unread).toBe(3)
  })

  it('is taken back without what came or went meanwhile', async () => {
    const answer = later<Answer>()
    const { inbox } = await loaded({ 'POST /notices/state': () => answer.promise })
    const done = inbox.mark([8], 'archived')
    inbox.apply(notice(11))
    inbox.apply(state(12, { ids: [7], state: 'withdrawn', unread: 2 }))
    answer.resolve(refuse(503, 'unavailable'))
    await expect(done).rejects.toMatchObject({ code: 'unavailable' })
    expect(ids(inbox)).toEqual([11, 9, 8])
    expect(inbox.unread).toBe(3)
  })

  it('is not taken back in a list that was loaded meanwhile', async () => {
    const answer = later<Answer>()
    const { inbox } = await loaded({ 'POST /notices/state': () => answer.promise })
    const done = inbox.mark([8], 'archived')
    inbox.unload()
    await inbox.load()
    answer.resolve(refuse(404, 'not_found'))
    await expect(done).rejects.toMatchObject({ code: 'not_found' })
    expect(ids(inbox)).toEqual([9, 8, 7])
    expect(inbox.unread).toBe(3)
  })

  it('marks all read only up to what is on show', async () => {
    let sent: unknown
    const { inbox } = await loaded({
      'POST /notices/state': ({ body }) => {
        sent = body
        return ok({ changed: 3, unread: 1 })
      },
    })
    await inbox.markAllRead()
    expect(sent).toEqual({ up_to: 'e-9', read: true })
    expect(inbox.unread).toBe(1)
    expect(inbox.items.every(({ read_at }) => read_at !== null)).toBe(true)
  })

  it('keeps on show what was just read among the unread', async () => {
    const { inbox } = await loaded({ 'POST /notices/state': () => ok({ changed: 1, unread: 2 }) })
    await inbox.show('unread')
    await inbox.mark([8], 'read')
    expect(ids(inbox)).toEqual([9, 8, 7])
  })
})

describe('loading', () => {
  it('adds older pages without repeating one', async () => {
    const { inbox, made } = await loaded({
      'GET /notices': ({ path }) =>
        path.includes('before=b1') ? page([7, 6]) : page([9, 8, 7], { next_before: 'b1' }),
    })
    await inbox.more()
    expect(ids(inbox)).toEqual([9, 8, 7, 6])
    await inbox.more()
    expect(made).toHaveLength(2)
  })

  it('lets the view chosen last win', async () => {
    const slow = later<Answer>()
    serve({
      'GET /notices': ({ path }) => (path.includes('archived') ? slow.promise : page([9])),
    })
    const inbox = useInbox()
    const first = inbox.show('archived')
    await inbox.show('inbox')
    slow.resolve(page([1]))
    await first
    expect(ids(inbox)).toEqual([9])
  })

  it('takes in nothing of the log that was, once that means nothing any more', async () => {
    const before = later<Answer>()
    const answers = [
      () => page([9, 8]),
      () => before.promise,
      () => page([2, 1], { cursor: 'f-2' }),
    ]
    serve({ 'GET /notices': () => answers.shift()?.() ?? refuse(500, 'internal') })
    const inbox = useInbox()
    await inbox.load()
    const slow = inbox.load()
    inbox.apply(notice(11))
    inbox.unload()
    before.resolve(page([12, 9, 8]))
    await slow
    expect(ids(inbox)).toEqual([9, 8])
    expect(inbox.state).toBe('unloaded')
    inbox.apply({ kind: 'notice', id: 'f-2', data: aNotice(2) })
    inbox.apply({ kind: 'notice', id: 'f-3', data: aNotice(3) })
    await inbox.load()
    expect(ids(inbox)).toEqual([3, 2, 1])
    expect(inbox.unread).toBe(3)
  })

  it('says when it failed, and keeps what comes for the next try', async () => {
    let failing = true
    serve({ 'GET /notices': () => (failing ? refuse(503, 'unavailable') : page([10])) })
    const inbox = useInbox()
    await inbox.load()
    expect(inbox.state).toBe('failed')
    inbox.apply(notice(11))
    failing = false
    await inbox.load()
    expect(ids(inbox)).toEqual([11, 10])
  })
})

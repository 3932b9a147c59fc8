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
    let now = { unread: 3, cursor: 'e-10' }
    const { inbox } = await loaded({ 'GET /notices': () => page([9, 8, 7], now) })
    now = { unread: 2, cursor: 'e-11' }
    inbox.apply(state(11, { ids: [8], state: 'withdrawn', unread: null }))
    await flushPromises()
    expect(inbox.unread).toBe(2)
    expect(ids(inbox)).toEqual([9, 7])
  })

  it('asks for no count when many are told what a newer one superseded', async () => {
    const { inbox, made } = await loaded({
      'GET /notices': () =>
        page([9, 8, 7], { items: [aNotice(9), aNotice(8, { collapse_key: 'disk' })], unread: 2 }),
    })
    const asked = made.length
    inbox.apply({ kind: 'notice', id: 'e-11', data: aNotice(11, { collapse_key: 'disk' }) })
    inbox.apply(state(12, { ids: [8], state: 'superseded', unread: null }))
    await flushPromises()
    expect(made.length).toBe(asked)
    expect(ids(inbox)).toEqual([11, 9])
    expect(inbox.unread).toBe(2)
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
    inbox.apply(state(12, { ids: [7], state: 'withdrawn', unread: 3 }))
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

  it('asks for a thousand at a time', async () => {
    const asked: number[] = []
    const { inbox } = await loaded({
      'POST /notices/state': ({ body }) => {
        asked.push((body as { ids: number[] }).ids.length)
        return ok({ changed: 1, unread: 0 })
      },
    })
    const many = Array.from({ length: 2_001 }, (_, n) => n)
    await inbox.mark(many, 'archived')
    expect(asked).toEqual([1_000, 1_000, 1])
  })

  it('marks all read only up to what is on show', async () => {
    let sent: unknown
    const { inbox } = await loaded({
      'POST /notices/state': ({ body }) => {
        sent = body
        return ok({ changed: 3, unread: 1 })
      },
    })
    await inbox.markUpTo('e-9')
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

it('keeps nothing among the unread that was read elsewhere, once they are looked at anew', async () => {
  const { inbox } = await loaded({ 'POST /notices/state': () => ok({ changed: 1, unread: 2 }) })
  await inbox.show('unread')
  await inbox.mark([8], 'read')
  await inbox.mark([8], 'unread')
  await inbox.show('inbox')
  await inbox.show('unread')
  inbox.apply(state(11, { ids: [8], unread: 2 }))
  expect(ids(inbox)).toEqual([9, 7])
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

const archived = (n: number) => aNotice(n, { archived_at: '2026-01-02T00:00:00.000Z' })

describe('views', () => {
  it('brings in what was archived elsewhere, at its place', async () => {
    const { inbox } = await loaded({
      'GET /notices/8': () => ok(archived(8)),
      'GET /notices': () =>
        ok({ items: [archived(9), archived(7)], next_before: null, unread: 3, cursor: 'e-10' }),
    })
    await inbox.show('archived')
    inbox.apply(state(11, { ids: [8], state: 'archived', unread: 2 }))
    await flushPromises()
    expect(ids(inbox)).toEqual([9, 8, 7])
  })

  it('lets a snoozed one go, and has it back at its old place', async () => {
    const { inbox } = await loaded()
    const until = '2030-01-01T00:00:00.000Z'
    inbox.apply(state(11, { ids: [8], state: 'snoozed', unread: 2, snoozed_until: until }))
    expect(ids(inbox)).toEqual([9, 7])
    expect(inbox.get(8)?.snoozed_until).toBe(until)
    inbox.apply(state(12, { ids: [8], state: 'unsnoozed', unread: 3 }))
    expect(ids(inbox)).toEqual([9, 8, 7])
    expect(inbox.unread).toBe(3)
  })

  it('counts one in place of the one that it supersedes', async () => {
    const { inbox } = await loaded({
      'GET /notices': () =>
        ok({
          items: [aNotice(9, { collapse_key: 'disk' }), aNotice(8)],
          next_before: null,
          unread: 2,
          cursor: 'e-10',
        }),
    })
    inbox.apply({ kind: 'notice', id: 'e-11', data: aNotice(11, { collapse_key: 'disk' }) })
    expect(ids(inbox)).toEqual([11, 8])
    expect(inbox.unread).toBe(2)
  })

  it('asks when one may supersede another that is not loaded', async () => {
    let now = { unread: 30, cursor: 'e-10' }
    const { inbox } = await loaded({ 'GET /notices': () => page([9, 8, 7], now) })
    // One of the thirty, further down, was of the same key.
    now = { unread: 30, cursor: 'e-11' }
    inbox.apply({ kind: 'notice', id: 'e-11', data: aNotice(11, { collapse_key: 'disk' }) })
    await flushPromises()
    expect(inbox.unread).toBe(30)
  })

  it('says of a withdrawn one that it was', async () => {
    const { inbox } = await loaded()
    inbox.apply(state(11, { ids: [8], state: 'withdrawn', unread: 2 }))
    expect(inbox.isWithdrawn(8)).toBe(true)
    expect(inbox.get(8)).toBeNull()
  })
})

describe('a greeting', () => {
  it('brings the count of its moment, and no later than what is known', async () => {
    const { inbox } = await loaded()
    inbox.counted(7, 'e-12')
    expect(inbox.unread).toBe(7)
    inbox.apply(notice(11)) // was counted in that
    expect(inbox.unread).toBe(7)
    inbox.counted(1, 'e-9')
    expect(inbox.unread).toBe(7)
  })

  it('of another log counts nothing', async () => {
    const { inbox } = await loaded()
    inbox.counted(70, 'f-99')
    expect(inbox.unread).toBe(3)
  })
})

describe('an answer', () => {
  it('that is lost undoes nothing that the stream has told of', async () => {
    const answer = later<Answer>()
    const { inbox } = await loaded({ 'POST /notices/state': () => answer.promise })
    const done = inbox.mark([8], 'read')
    expect(inbox.apply(state(11, { ids: [8], unread: 2 }))).toBe(true)
    answer.resolve(refuse(503, 'unavailable'))
    await done
    expect(inbox.unread).toBe(2)
    expect(inbox.get(8)?.read_at).not.toBeNull()
  })

  it('from before a later event does not undo that', async () => {
    const answer = later<Answer>()
    const { inbox } = await loaded({ 'POST /notices/state': () => answer.promise })
    const done = inbox.mark([8], 'read')
    inbox.apply(state(11, { ids: [8], unread: 2 }))
    expect(inbox.apply(state(12, { ids: [8], state: 'unread', unread: 3 }))).toBe(false)
    answer.resolve(ok({ changed: 1, unread: 2 }))
    await done
    expect(inbox.unread).toBe(3)
    expect(inbox.get(8)?.read_at).toBeNull()
  })
})

describe('a cover', () => {
  it('leaves nothing of what was sent, and the list is as long as it was after it', async () => {
    const limits: string[] = []
    const all = Array.from({ length: 120 }, (_, n) => 120 - n)
    const { inbox } = await loaded({
      'GET /notices': ({ path }) => {
        const query = new URLSearchParams(path.split('?')[1])
        limits.push(query.get('limit')!)
        const from = query.has('before') ? 50 : 0
        const shown = all.slice(from, from + Number(query.get('limit')))
        return page(shown, { cursor: 'e-120', next_before: from === 0 ? 'e-71' : null })
      },
    })
    await inbox.more()
    expect(inbox.items).toHaveLength(120)
    inbox.putAway()
    expect([inbox.items, inbox.get(120), inbox.unread]).toEqual([[], null, 0])
    await inbox.load()
    expect(limits).toEqual(['50', '100', '120'])
  })
})

it('loads the list anew rather than ask for many one by one', async () => {
  const { inbox, made } = await loaded({ 'GET /notices/20': () => ok(aNotice(20)) })
  made.length = 0
  inbox.apply(state(11, { ids: [20], state: 'unarchived', unread: 4 }))
  await flushPromises()
  expect(made).toEqual(['GET /notices/20'])
  made.length = 0
  const many = Array.from({ length: 11 }, (_, n) => 30 + n)
  inbox.apply(state(12, { ids: many, state: 'unarchived', unread: 15 }))
  await flushPromises()
  expect(made).toHaveLength(1)
  expect(made[0]).toMatch(/^GET \/notices\?/)
})

import { flushPromises } from '@vue/test-utils'
import { createPinia, setActivePinia } from 'pinia'
import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import type { Notice } from '@client'
import { useInbox } from '@/stores/inbox'
import { useMessages } from '@/stores/messages'
import { aNotice, ok, serve, show } from '@/testing'
import { useNoticeActions } from './useNoticeActions'
import { useSnooze } from './useSnooze'

beforeEach(() => setActivePinia(createPinia()))
afterEach(() => vi.unstubAllGlobals())

const MONDAY = '2099-01-05T09:00:00.000Z'
const FRIDAY = '2099-01-09T09:00:00.000Z'
const archived_at = '2026-01-02T00:00:00.000Z'

/** A page with an inbox of these, and what is asked for from now on. */
async function opened(items: Notice[]) {
  const asked: unknown[] = []
  serve({
    'GET /notices': () => ok({ items, next_before: null, unread: 0, cursor: 'e-10' }),
    'POST /notices/state': ({ body }) => {
      asked.push(body)
      return ok({ changed: 1, unread: 0 })
    },
  })
  const inbox = useInbox()
  await inbox.show('all')
  const setup = () => ({ ...useNoticeActions(), snooze: useSnooze() })
  const page = show({ setup, render: () => null }).vm as unknown as ReturnType<typeof setup>
  return { inbox, asked, page }
}

/** What the undo asks for. */
async function undone(asked: unknown[]): Promise<unknown[]> {
  const before = asked.length
  useMessages().current?.action?.run()
  await flushPromises()
  return asked.slice(before)
}

it('undoes a snooze of what was put off already, until the time that it had', async () => {
  const { page, asked, inbox } = await opened([aNotice(2, { snoozed_until: MONDAY }), aNotice(1)])
  await page.snooze([2, 1], new Date(FRIDAY))
  expect(await undone(asked)).toEqual([
    { ids: [2], snoozed_until: MONDAY },
    { ids: [1], snoozed_until: null },
  ])
  expect(inbox.get(2)?.snoozed_until).toBe(MONDAY)
})

it('undoes a snooze of what was archived', async () => {
  const { page, asked, inbox } = await opened([aNotice(1, { archived_at })])
  await page.snooze([1], new Date(FRIDAY))
  expect(await undone(asked)).toEqual([{ ids: [1], archived: true }])
  expect(inbox.get(1)?.archived_at).not.toBeNull()
})

it('leaves archived what was so before the archive that is undone', async () => {
  const { page, asked, inbox } = await opened([
    aNotice(3, { snoozed_until: MONDAY }),
    aNotice(2, { archived_at }),
    aNotice(1),
  ])
  await page.archive(inbox.items)
  await undone(asked)
  expect(inbox.get(3)).toMatchObject({ archived_at: null, snoozed_until: MONDAY })
  expect(inbox.get(2)?.archived_at).not.toBeNull()
  expect(inbox.get(1)?.archived_at).toBeNull()
})

it('brings back what was put off until a time that has passed meanwhile', async () => {
  vi.useFakeTimers({ now: Date.parse(MONDAY) - 1_000, toFake: ['Date'] })
  const { page, asked } = await opened([aNotice(2, { snoozed_until: MONDAY })])
  await page.snooze([2], new Date(FRIDAY))
  vi.setSystemTime(Date.parse(MONDAY) + 1_000)
  expect(await undone(asked)).toEqual([{ ids: [2], snoozed_until: null }])
  vi.useRealTimers()
})

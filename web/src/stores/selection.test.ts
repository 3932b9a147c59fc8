import { createPinia, setActivePinia } from 'pinia'
import { nextTick } from 'vue'
import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import { aNotice, later, ok, serve } from '@/testing'
import { useInbox } from './inbox'
import { useSelection } from './selection'

beforeEach(() => setActivePinia(createPinia()))
afterEach(() => vi.unstubAllGlobals())

async function loaded() {
  const items = [9, 8, 7, 6, 5].map((n) => aNotice(n))
  serve({
    'GET /notices': () => ok({ items, next_before: null, unread: 5, cursor: 'e-10' }),
    'POST /notices/state': () => ok({ changed: 1, unread: 4 }),
  })
  const inbox = useInbox()
  await inbox.load()
  const selection = useSelection()
  return { inbox, selection, chosen: () => selection.notices.map(({ id }) => id) }
}

it('takes in one by one, and puts back', async () => {
  const { selection, chosen } = await loaded()
  selection.toggle(8)
  selection.toggle(6)
  expect(chosen()).toEqual([8, 6])
  selection.toggle(8)
  expect(chosen()).toEqual([6])
  selection.all()
  expect(chosen()).toEqual([9, 8, 7, 6, 5])
  selection.clear()
  expect(chosen()).toEqual([])
})

it('takes in a range, upwards and downwards, and puts one back', async () => {
  const { selection, chosen } = await loaded()
  selection.toggle(6)
  selection.toggle(8, true)
  expect(chosen()).toEqual([8, 7, 6])
  selection.toggle(5, true)
  expect(chosen()).toEqual([8, 7, 6, 5])
  selection.toggle(7, true)
  expect(chosen()).toEqual([8])
})

it('begins a range at its end where nothing came before', async () => {
  const { selection, chosen } = await loaded()
  selection.toggle(7, true)
  expect(chosen()).toEqual([7])
})

it('does not hold what left the list', async () => {
  const { inbox, selection, chosen } = await loaded()
  selection.all()
  await inbox.mark([8], 'archived')
  expect(chosen()).toEqual([9, 7, 6, 5])
})

it('keeps what is chosen while the server takes its time with others', async () => {
  const { selection, chosen } = await loaded()
  const answer = later<boolean>()
  selection.toggle(9)
  const done = selection.deal(() => answer.promise)
  selection.toggle(7)
  answer.resolve(true)
  await done
  expect(chosen()).toEqual([7])
  await selection.deal(() => Promise.resolve(false))
  expect(chosen()).toEqual([7])
})

it('ends with the view, and outlasts a lock', async () => {
  const { inbox, selection, chosen } = await loaded()
  selection.toggle(7)
  inbox.putAway()
  expect(chosen()).toEqual([])
  await inbox.load()
  expect(chosen()).toEqual([7])
  await inbox.show('archived')
  await nextTick()
  expect(chosen()).toEqual([])
})

it('begins a range anew after nothing was chosen any more', async () => {
  const { selection, chosen } = await loaded()
  selection.toggle(9)
  selection.clear()
  selection.toggle(6, true)
  expect(chosen()).toEqual([6])
})

import { createPinia, setActivePinia } from 'pinia'
import { beforeEach, expect, it } from 'vitest'
import { Problem, type Page } from '@client'
import { show } from '@/testing'
import { useListing } from './useListing'

beforeEach(() => setActivePinia(createPinia()))

const PAGE = 50
const MANY = 180
const upTo = (count: number) => Array.from({ length: count }, (_, n) => n)

/** A list of numbers from 0 on, in pages, and what was asked of it; `down` is a server that is away. */
function listing() {
  const made: (string | undefined)[] = []
  const server = { down: false }
  const ask = async (before?: string): Promise<Page<number>> => {
    made.push(before)
    if (server.down) throw new Problem(503, { code: 'unavailable' })
    const from = Number(before ?? 0)
    const end = Math.min(from + PAGE, MANY)
    const items = upTo(end).slice(from)
    return { items, next_before: end < MANY ? String(end) : null }
  }
  const { vm } = show({ setup: () => ({ list: useListing(ask) }), render: () => null })
  return {
    made,
    server,
    list: (vm as unknown as { list: ReturnType<typeof useListing<number>> }).list,
  }
}

it('keeps as many as were on show when it is asked for anew', async () => {
  const { list } = listing()
  await list.load()
  await list.more()
  await list.more()
  await list.refresh()
  expect(list.items).toEqual(upTo(150))
  expect(list.nextBefore).toBe('150')
})

it('asks once more for the older page that did not come, and keeps what there was', async () => {
  const { list, server, made } = listing()
  await list.load()
  server.down = true
  await list.more()
  expect(list.state).toBe('failed')
  server.down = false
  await list.retry()
  expect(list.items).toEqual(upTo(100))
  expect(made).toEqual([undefined, '50', '50'])
})

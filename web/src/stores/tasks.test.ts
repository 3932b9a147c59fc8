import type { Task } from '@client'
import { createPinia, setActivePinia } from 'pinia'
import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import { aSession, ok, serve } from '@/testing'
import { useSession } from './session'
import { useTasks } from './tasks'

const MANY = 500

beforeEach(() => setActivePinia(createPinia()))
afterEach(() => vi.unstubAllGlobals())

it('is as long as it was, however long that is, when it is asked for again', async () => {
  serve({
    'GET /tasks': ({ path }) => {
      const query = new URLSearchParams(path.split('?')[1])
      const newest = Number(query.get('before') ?? MANY + 1) - 1
      const length = Math.min(Number(query.get('limit')), 200, newest)
      const items = Array.from({ length }, (_, n) => ({ id: newest - n }) as Task)
      return ok({ items, next_before: newest > length ? String(newest - length + 1) : null })
    },
  })
  useSession().adopt(aSession())
  const tasks = useTasks()
  await tasks.load()
  while (tasks.nextBefore) await tasks.more()
  await tasks.load()
  expect(tasks.items.map(({ id }) => id)).toEqual(Array.from({ length: MANY }, (_, n) => MANY - n))
  expect(tasks.nextBefore).toBeNull()
})

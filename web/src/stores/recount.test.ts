import { Problem, type Api } from '@client'
import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import { recounter } from './recount'

beforeEach(() => void vi.useFakeTimers())
afterEach(() => void vi.useRealTimers())

type Count = { unread: number; cursor: string }

function asking(answers: (Count | Problem)[]) {
  const notices = vi.fn(async () => {
    const answer = answers.shift()
    if (!answer || answer instanceof Problem) throw answer ?? Problem.network()
    return answer
  })
  const taken: Count[] = []
  const recount = recounter({ notices } as unknown as Api, (unread, cursor) => {
    taken.push({ unread, cursor })
    return cursor !== 'too-early'
  })
  return { notices, taken, recount }
}

it('asks again at once where the answer was from before the event', async () => {
  const late = { unread: 3, cursor: 'e-12' }
  const { taken, recount, notices } = asking([{ unread: 4, cursor: 'too-early' }, late])
  recount()
  recount()
  await vi.advanceTimersByTimeAsync(0)
  expect(taken.at(-1)).toEqual(late)
  expect(notices).toHaveBeenCalledTimes(2)
})

it('asks again later where it was refused, and gives up in the end', async () => {
  const { taken, recount, notices } = asking([
    new Problem(503, { code: 'unavailable' }),
    Problem.network(),
    { unread: 1, cursor: 'e-9' },
  ])
  recount()
  await vi.advanceTimersByTimeAsync(999)
  expect(notices).toHaveBeenCalledTimes(1)
  await vi.advanceTimersByTimeAsync(2_001)
  expect(taken).toEqual([{ unread: 1, cursor: 'e-9' }])
  recount()
  await vi.advanceTimersByTimeAsync(600_000)
  expect(notices).toHaveBeenCalledTimes(9)
})

it('waits no longer when there is a new reason to ask', async () => {
  const { taken, recount } = asking([Problem.network(), { unread: 1, cursor: 'e-9' }])
  recount()
  await vi.advanceTimersByTimeAsync(10)
  recount()
  await vi.advanceTimersByTimeAsync(0)
  expect(taken).toHaveLength(1)
})

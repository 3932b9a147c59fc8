import { describe, expect, it } from 'vitest'
import { ref } from 'vue'
import { HEADING, useRowWindow } from './useRowWindow'

const ROW = 50

/** A list of so many rows of 50 pixels in a window of 500, scrolled so far. */
function listOf(count: number, headings: number[], scrollTop: number) {
  const element = document.createElement('div')
  Object.defineProperty(element, 'clientHeight', { value: 500 })
  element.scrollTop = scrollTop
  const list = useRowWindow(
    ref(element),
    () => count,
    () => headings,
  )
  const row = document.createElement('li')
  row.getBoundingClientRect = () => new DOMRect(0, 0, 100, ROW + HEADING)
  list.measure(row, true)
  list.look()
  return { element, ...list }
}

describe('the window on a long list', () => {
  it('puts each row below all rows and headings before it', () => {
    const { start } = listOf(10_000, [0, 3, 4], 0)
    expect([0, 1, 3, 4, 5].map(start)).toEqual([
      0,
      ROW + HEADING,
      3 * ROW + HEADING,
      4 * ROW + 2 * HEADING,
      5 * ROW + 3 * HEADING,
    ])
    expect(start(10_000)).toBe(10_000 * ROW + 3 * HEADING)
  })

  it('finds the row at any place, at both edges of each', () => {
    const { start, indexAt } = listOf(1_000, [0, 10, 500], 0)
    for (let index = 0; index < 1_000; index++) {
      expect(indexAt(start(index))).toBe(index)
      expect(indexAt(start(index + 1) - 1)).toBe(index)
    }
    expect(indexAt(10_000_000)).toBe(999)
  })

  it('shows what is in sight and a little more, however long the list', () => {
    const { shown } = listOf(10_000, [0], 200_000)
    const { first, end } = shown.value
    expect(first).toBeLessThanOrEqual((200_000 - HEADING) / ROW)
    expect(end).toBeGreaterThanOrEqual((200_500 - HEADING) / ROW)
    expect(end - first).toBeLessThan(40)
  })

  it('shows nothing of an empty list', () => {
    const { shown, start } = listOf(0, [], 0)
    expect(shown.value).toEqual({ first: 0, end: 0 })
    expect(start(0)).toBe(0)
  })

  it('scrolls no further than a row needs to be seen', () => {
    const { element, reveal, start } = listOf(1_000, [0], 5_000)
    reveal(100)
    expect(element.scrollTop).toBe(5_000 + (start(101) - 5_500 > 0 ? start(101) - 5_500 : 0))
    reveal(10)
    expect(element.scrollTop).toBe(start(10) - HEADING)
    reveal(500)
    expect(element.scrollTop).toBe(start(501) - 500)
  })
})

import { createPinia, setActivePinia } from 'pinia'
import { beforeEach, expect, it } from 'vitest'
import { aNotice } from '@/testing'
import { useToasts } from './toasts'

beforeEach(() => setActivePinia(createPinia()))

const shown = (toasts: ReturnType<typeof useToasts>) => {
  const { current } = toasts
  return current?.kind === 'notice' ? current.notice.id : current
}

it('shows one at a time, in order', () => {
  const toasts = useToasts()
  ;[1, 2, 3].forEach((n) => toasts.push(aNotice(n)))
  expect(shown(toasts)).toBe(1)
  toasts.next()
  expect(shown(toasts)).toBe(2)
  toasts.next()
  toasts.next()
  expect(toasts.current).toBeNull()
})

it('says how many when more than three wait, and counts on', () => {
  const toasts = useToasts()
  ;[1, 2, 3, 4, 5].forEach((n) => toasts.push(aNotice(n)))
  toasts.next()
  expect(toasts.current).toEqual({ kind: 'many', count: 4 })
  toasts.push(aNotice(6))
  expect(toasts.current).toEqual({ kind: 'many', count: 5 })
})

it('lets a critical one go first, and stay', () => {
  const toasts = useToasts()
  ;[1, 2, 3, 4, 5].forEach((n) => toasts.push(aNotice(n)))
  toasts.push(aNotice(6, { severity: 'critical' }))
  expect(toasts.stays).toBe(false)
  toasts.next()
  expect(shown(toasts)).toBe(6)
  expect(toasts.stays).toBe(true)
})

it('drops what was read elsewhere', () => {
  const toasts = useToasts()
  ;[1, 2, 3].forEach((n) => toasts.push(aNotice(n)))
  toasts.withdraw(({ id }) => id < 3)
  expect(shown(toasts)).toBe(3)
})

it('shows nothing after it was cleared', () => {
  const toasts = useToasts()
  ;[1, 2].forEach((n) => toasts.push(aNotice(n)))
  toasts.clear()
  expect(toasts.current).toBeNull()
  toasts.next()
  expect(toasts.current).toBeNull()
})

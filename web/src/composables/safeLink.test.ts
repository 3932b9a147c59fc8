import { expect, it } from 'vitest'
import { isSafeLink, linkHost } from './safeLink'

it.each([
  ['https://example.com/a?b#c', true],
  ['HTTP://example.com', true],
  ['/status', true],
  ['//example.com', false],
  ['/\\example.com', false],
  ['/\t/example.com', false],
  ['javascript:alert(1)', false],
  [' javascript:alert(1)', false],
  ['java\nscript:alert(1)', false],
  ['data:text/html,x', false],
  ['vbscript:x', false],
  ['mailto:a@example.com', false],
  ['https://', false],
  ['https:///example.com', false],
  ['status', false],
  ['', false],
])('%j may be followed: %s', (url, safe) => {
  expect(isSafeLink(url)).toBe(safe)
})

it('names the host only of another site', () => {
  expect(linkHost('https://example.com:8443/a')).toBe('example.com:8443')
  expect(linkHost('/status')).toBeNull()
})

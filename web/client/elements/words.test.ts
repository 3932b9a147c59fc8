import { expect, it } from 'vitest'
import { Clock, countdown, languageOf, wordsFor } from './words'

/** The names of everything that is said, and whether it is a text or made from values. */
function shape(words: object, at = ''): string[] {
  return Object.entries(words).flatMap(([name, value]: [string, unknown]) =>
    typeof value === 'object' && value !== null
      ? shape(value, `${at}${name}.`)
      : [`${at}${name}: ${typeof value}`],
  )
}

it('says everything in both languages, and leaves nothing in English', () => {
  const [en, zh] = [wordsFor('en'), wordsFor('zh-CN')]
  expect(shape(zh)).toEqual(shape(en))
  expect(JSON.stringify(zh)).not.toMatch(/: ?"[a-z ]+"/i)
})

it.each([
  ['zh', '通知'],
  ['zh-Hans-CN', '通知'],
  ['ZH-tw', '通知'],
  ['en-GB', 'Notifications'],
  ['de', 'Notifications'],
  ['', 'Notifications'],
])('speaks for %j', (language, title) => {
  expect(wordsFor(language).bell.title).toBe(title)
})

it('speaks as the nearest element says, through shadow roots too', () => {
  document.documentElement.lang = 'en'
  const host = document.createElement('section')
  host.lang = 'zh-CN'
  const inner = document.createElement('p')
  host.attachShadow({ mode: 'open' }).append(inner)
  document.body.append(host)
  expect(languageOf(inner)).toBe('zh-CN')
  expect(languageOf(document.body)).toBe('en')
  host.remove()
})

it('counts down in minutes and seconds', () => {
  expect([0, 400, 59_001, 60_000, 61_000].map(countdown)).toEqual([
    '0:00',
    '0:01',
    '1:00',
    '1:00',
    '1:01',
  ])
})

it('writes how long ago, and the date of what is old', () => {
  const clock = new Clock('en')
  const now = Date.parse('2026-05-03T12:00:00Z')
  expect(clock.relative('2026-05-03T11:58:00Z', now)).toMatch(/^2\s?m/)
  expect(clock.relative('2026-05-03T09:00:00Z', now)).toMatch(/^3\s?h/)
  expect(clock.relative('2026-05-01T09:00:00Z', now)).toBe('May 1')
  // A clock that is behind the server's.
  expect(clock.relative('2026-05-03T12:00:05Z', now)).toBe('now')
  expect(new Clock('zh-CN').relative('2026-05-03T12:00:05Z', now)).toBe('刚刚')
})

it('does not fail over a language that is none', () => {
  expect(() => new Clock('not a language').exact('2026-05-03T12:00:00Z')).not.toThrow()
})

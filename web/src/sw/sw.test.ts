// @vitest-environment node
import { expect, it } from 'vitest'
import { shownOf, tagOf } from './pushed'
import { ENGLISH, offlinePage } from './shell'

const words = { ...ENGLISH, locale: 'zh-CN', waiting: '有新内容' }
const notice = {
  type: 'notice',
  id: 7,
  title: 'Disk at 91 %',
  body: 'db-1',
  severity: 'warning',
  unread: 3,
}

it('shows a notice under the tag of the page’s own pop-up', () => {
  const { title, options, unread } = shownOf(JSON.stringify(notice), words)
  expect(title).toBe('Disk at 91 %')
  expect(options).toMatchObject({ body: 'db-1', tag: tagOf(7), data: { id: 7 } })
  expect(options.requireInteraction).toBe(false)
  expect(unread).toBe(3)
})

it('lets a critical one stay', () => {
  const { options } = shownOf(JSON.stringify({ ...notice, severity: 'critical' }), words)
  expect(options.requireInteraction).toBe(true)
})

it.each([
  '{"type":"waiting"}',
  '{"type":"waiting","title":"secret","id":7}',
  '{"type":"notice","title":"x"}',
  'null',
  '',
  undefined,
])('says only that something waits: %s', (text) => {
  const shown = shownOf(text, words)
  expect(shown).toEqual({
    title: '有新内容',
    options: { tag: 'belfry-waiting', data: { id: null } },
    unread: null,
  })
})

it('writes the page without a connection in the reader’s language, and nothing into it', async () => {
  const page = offlinePage({ ...ENGLISH, locale: 'de"><script>', offline: 'a <b> & "c"' })
  const html = await page.text()
  expect(page.status).toBe(503)
  expect(page.headers.get('Content-Security-Policy')).toContain("script-src 'self'")
  expect(html).toContain('<h1>a &#60;b&#62; &#38; &#34;c&#34;</h1>')
  expect(html.match(/<script/g)).toHaveLength(1)
})

import { gzipSync } from 'node:zlib'
import { expect, pill, row, test, visitAs } from './fixtures'

/**
 * All the JavaScript that opening the inbox may cost until it is live and at rest, compressed as
 * nginx does at its best. The worker that holds the stream is left out.
 */
const MOST_BYTES = 90_000
/** What may be fetched some time after that, in a quiet moment, so that it is there when it is needed. */
const MOST_LATER_BYTES = 8_500

/** What only administrators open. */
const ADMIN = /Admin|Overview|LiveChart|Users|Audit/
/** What a message is shown by. */
const DETAIL = /NoticeDetail/

test('the inbox opens light and soon, on a slow processor too', async ({ browser, server }) => {
  const bob = await visitAs(browser, server, 'bob')
  await (await server.signIn('ann')).send('bob', 'Here already')
  await expect(row(bob, 'Here already')).toBeVisible()

  const scripts = new Map<string, number>()
  bob.context().on('response', (response) => {
    if (response.request().resourceType() !== 'script') return
    void response
      .body()
      .then((body) => scripts.set(response.url(), gzipSync(body, { level: 9 }).length))
  })
  const client = await bob.context().newCDPSession(bob)
  await client.send('Network.enable')
  await client.send('Network.setCacheDisabled', { cacheDisabled: true })
  await client.send('Emulation.setCPUThrottlingRate', { rate: 4 })

  const begun = Date.now()
  await bob.goto('/inbox', { waitUntil: 'commit' })
  await expect(row(bob, 'Here already')).toBeVisible()
  const seen = Date.now() - begun
  await bob.keyboard.press('/')
  await expect(bob.locator('[data-search]')).toBeFocused()
  const used = Date.now() - begun
  // The stream never lets the network come to rest; whatever is fetched in a quiet moment has been asked for by now.
  await expect(pill(bob)).toContainText('Live')
  await bob.evaluate(() => new Promise((done) => requestIdleCallback(done, { timeout: 1_000 })))
  const first = [...scripts.keys()]
  // A slowed process outlives its page, and takes a whole processor from all tests after this one.
  await client.send('Emulation.setCPUThrottlingRate', { rate: 1 })
  const isDetail = (url: string) => DETAIL.test(url)
  await expect.poll(() => [...scripts.keys()].some(isDetail)).toBe(true)
  await bob.evaluate(() => new Promise((done) => requestIdleCallback(done, { timeout: 1_000 })))

  const spare = [...scripts.keys()].filter((url) => !first.includes(url))
  const bytesOf = (urls: string[]) => urls.reduce((sum, url) => sum + (scripts.get(url) ?? 0), 0)
  console.log(
    `${bytesOf(first)} bytes of JavaScript in ${first.length} files, then ${bytesOf(spare)} in spare time; ` +
      `on a processor slowed down four times the list stood after ${seen} ms, and obeyed a key after ${used} ms`,
  )
  for (const [url, size] of scripts) console.log(`  ${size} ${new URL(url).pathname}`)
  expect(first.length).toBeGreaterThan(1)
  expect(bytesOf(first)).toBeLessThanOrEqual(MOST_BYTES)
  expect(bytesOf(spare)).toBeLessThanOrEqual(MOST_LATER_BYTES)
  expect(first.filter(isDetail)).toEqual([])
  expect([...scripts.keys()].filter((url) => ADMIN.test(url))).toEqual([])
})

import { BlackHole } from './black-hole'
import { expect, pill, row, signIn, test, visit } from './fixtures'

const HEARTBEAT_MS = 1_000
/** After so much of it a stream counts as dead. */
const SILENCE_MS = 2.5 * HEARTBEAT_MS

/** Notes when a timer of the page comes. */
function noteTimer(ms: number): void {
  setTimeout(() => (window.timerAt = Date.now()), ms)
}

test.use({ settings: { HEARTBEAT: `${HEARTBEAT_MS}ms` } })

test('a path that swallows everything is noticed, and passed without a reload', async ({
  browser,
  server,
}) => {
  const path = await BlackHole.before(server.url)
  try {
    const ann = await server.signIn('ann')
    const bob = await visit(browser, server, { baseURL: path.url })
    await signIn(bob, 'bob')
    const other = await bob.context().newPage()
    await other.goto('/')
    await expect(pill(other)).toContainText('Live')
    for (const page of [bob, other]) {
      await page.evaluate(() => {
        document.body.setAttribute('data-same-page', '')
        const pill = document.querySelector('[data-testid=connection]')!
        const note = () => {
          if (pill.textContent?.includes('Not live')) window.staleAt ??= Date.now()
        }
        new MutationObserver(note).observe(pill, {
          subtree: true,
          childList: true,
          characterData: true,
        })
      })
    }
    path.swallow()
    const swallowed = Date.now()
    await Promise.all([bob, other].map((page) => page.evaluate(noteTimer, SILENCE_MS)))
    for (const page of [bob, other]) {
      await expect(pill(page)).toContainText(/Not live since \d?\d:\d\d/)
      await page.waitForFunction(() => window.timerAt)
      const { staleAt, timerAt } = await page.evaluate(() => {
        const { staleAt, timerAt } = window
        return { staleAt, timerAt }
      })
      console.log(
        `stale after ${staleAt! - swallowed} ms, a timer of the page after ${timerAt! - swallowed}`,
      )
      // Half a heartbeat for what was under way. How late its timers run is not the page's fault.
      expect(staleAt! - timerAt!).toBeLessThan(HEARTBEAT_MS / 2)
    }
    await ann.send('bob', 'Swallowed')
    path.heal()
    for (const page of [bob, other]) {
      await expect(row(page, 'Swallowed')).toBeVisible()
      await expect(pill(page)).toContainText('Live')
      await expect(page.locator('body')).toHaveAttribute('data-same-page', '')
    }
  } finally {
    await path.close()
  }
})

declare global {
  interface Window {
    staleAt?: number
    timerAt?: number
  }
}

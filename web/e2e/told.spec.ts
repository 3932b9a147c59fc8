import type { Page } from '@playwright/test'
import { expect, lockField, pill, row, signIn, test, unlock, visit } from './fixtures'

declare global {
  interface Window {
    rung: { resumed: number; started: number }
    badges: number[]
  }
}

/** Takes the place of what a machine without a screen or a sound cannot show. */
function listen(): void {
  window.rung = { resumed: 0, started: 0 }
  window.badges = []
  const param = { setValueAtTime: () => {}, linearRampToValueAtTime: () => {} }
  const fakes = {
    AudioContext: class {
      currentTime = 0
      destination = {}
      resume = () => Promise.resolve(void window.rung.resumed++)
    },
    OscillatorNode: class {
      connect = <Node>(node: Node) => node
      start = () => void window.rung.started++
      stop = () => {}
    },
    GainNode: class {
      gain = { ...param, exponentialRampToValueAtTime: () => {} }
      connect = <Node>(node: Node) => node
    },
  }
  Object.assign(window, fakes)
  Object.assign(navigator, {
    setAppBadge: async (count: number) => void window.badges.push(count),
    clearAppBadge: async () => void window.badges.push(0),
  })
}

/** How many notices were rung for, and with how many tones, in all tabs together. */
async function rung(pages: Page[]): Promise<string> {
  const all = await Promise.all(pages.map((page) => page.evaluate(() => window.rung)))
  const sum = (what: 'resumed' | 'started') => all.reduce((n, each) => n + each[what], 0)
  return `${sum('resumed')} of ${sum('started')} tones`
}

const badge = (page: Page) => page.evaluate(() => window.badges.at(-1))

test('each message rings once in one tab, a muted one nowhere; the badge counts, and not while locked', async ({
  browser,
  server,
}) => {
  const device = await server.signIn('bob')
  const choice = await device.call<object>('get', '/preferences')
  await device.call('put', '/preferences', { ...choice, sound: true, muted: ['billing'] })
  const first = await visit(browser, server)
  await first.context().addInitScript(listen)
  await first.reload()
  await signIn(first, 'bob')
  const second = await first.context().newPage()
  await second.goto('/')
  await expect(pill(second)).toContainText('Live')
  const pages = [first, second]
  // Browsers let no page make a sound that nobody has touched.
  for (const page of pages) await page.getByTestId('list').click()

  const ann = await server.signIn('ann')
  await ann.send('bob', 'Rings')
  await expect.poll(() => rung(pages)).toBe('1 of 2 tones')
  await ann.send('bob', 'Muted', { category: 'billing' })
  for (const page of pages) await expect(row(page, 'Muted')).toBeVisible()
  await ann.send('bob', 'Burns', { category: 'billing', severity: 'critical' })
  await expect.poll(() => rung(pages)).toBe('2 of 4 tones')

  for (const page of pages) await expect.poll(() => badge(page)).toBe(3)
  await first.keyboard.press('l')
  for (const page of pages) {
    await expect(lockField(page)).toBeVisible()
    await expect.poll(() => badge(page)).toBe(0)
  }
  await ann.send('bob', 'Behind the lock')
  await unlock(first)
  for (const page of pages) {
    await expect(row(page, 'Behind the lock')).toBeVisible()
    await expect.poll(() => badge(page)).toBe(4)
  }
})

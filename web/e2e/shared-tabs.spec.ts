import type { Browser, Page } from '@playwright/test'
import { expect, pill, row, test, visitAs, type Lack } from './fixtures'
import type { Device } from './server'
import { CountingServer, popupsOf } from './streams'

const TABS = 8
/** On a machine with nothing else to do it is well below two seconds; the figure is printed. */
const TAKEN_OVER_MS = 10_000

/** More tabs than a browser opens connections to a server over HTTP/1.1. */
async function eightTabs(browser: Browser, { server }: CountingServer, without: Lack[]) {
  const first = await visitAs(browser, server, 'bob', { without })
  const more = Array.from({ length: TABS - 1 }, () => first.context().newPage())
  const pages = [first, ...(await Promise.all(more))]
  await Promise.all(pages.slice(1).map((page) => page.goto('/')))
  for (const page of pages) await expect(pill(page)).toContainText('Live')
  return pages
}

/**
 * Sends a notice; every tab shows it, and it pops up once.
 * @param most how many tabs may have shown the pop-up, of which the browser shows one
 * @returns after how many ms the first tab showed it
 */
async function sendAndSee(
  ann: Device,
  pages: Page[],
  title: string,
  most: number,
): Promise<number> {
  const sent = Date.now()
  await ann.send('bob', title)
  await expect(row(pages[0]!, title)).toBeVisible()
  const tookMs = Date.now() - sent
  await Promise.all(pages.map((page) => expect(row(page, title)).toHaveCount(1)))
  const popups = await popupsOf(pages, title)
  expect(new Set(popups.map(({ tag }) => tag)).size).toBe(1)
  expect(popups.length).toBeLessThanOrEqual(most)
  return tookMs
}

async function killWorker(browser: Browser, origin: string): Promise<void> {
  const session = await browser.newBrowserCDPSession()
  const { targetInfos } = await session.send('Target.getTargets')
  // A browser that other tests used before may still be putting away theirs.
  const workers = targetInfos.filter(
    ({ type, url }) => type === 'shared_worker' && url.startsWith(origin),
  )
  expect(workers).toHaveLength(1)
  for (const { targetId } of workers) await session.send('Target.closeTarget', { targetId })
  await session.detach()
}

/** Ends a tab as a fault does, which lets it say nothing. */
async function crash(page: Page): Promise<void> {
  const session = await page.context().newCDPSession(page)
  const crashed = page.waitForEvent('crash')
  void session.send('Page.crash').catch(() => undefined)
  await crashed
}

const WAYS: [string, Lack[]][] = [
  ['a worker', []],
  ['the lock of a tab', ['workers']],
  ['the lease of a tab', ['workers', 'locks']],
]

// HTTP/2 makes no difference to how tabs find each other.
for (const [way, without] of process.env.BELFRY_E2E_VIA ? WAYS.slice(0, 1) : WAYS) {
  test(`eight tabs have one stream by ${way}, and another when that dies`, async ({ browser }) => {
    const counting = await CountingServer.create()
    try {
      // Nothing passes a lease on at once: where tabs get no time for long, two hold it for a moment.
      const most = without.includes('locks') ? 2 : 1
      const ann = await counting.server.signIn('ann')
      const pages = await eightTabs(browser, counting, without)
      await counting.expectStreams(1)
      const usualMs = await sendAndSee(ann, pages, 'To all', most)
      for (const page of pages) await expect(page).toHaveTitle(/^\(1\)/)

      const left = without.length > 0 ? pages.slice(1) : pages
      if (left === pages) await killWorker(browser, new URL(pages[0]!.url()).origin)
      else await crash(pages[0]!)
      // What any notice takes on this machine is not the change's.
      const tookMs = (await sendAndSee(ann, left, 'Between two', most)) - usualMs
      console.log(`taken over by ${way} in ${tookMs} ms, a notice takes ${usualMs} ms`)
      expect(tookMs).toBeLessThan(TAKEN_OVER_MS)
      await counting.expectStreams(1)
      await sendAndSee(ann, left, 'After', most)
      for (const page of left) await expect(page).toHaveTitle(/^\(3\)/)
    } finally {
      await counting.server.remove()
    }
  })
}

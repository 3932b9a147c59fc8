import { join } from 'node:path'
import type { Page } from '@playwright/test'
import {
  expect,
  expectAccessible,
  lockField,
  pill,
  row,
  test,
  unlock,
  visit,
  visitAs,
} from './fixtures'
import { THEMES, walks, wear, words } from './states'

/** All themes at each stop, and a picture of each width: BELFRY_LOOK=folder npm run e2e -- pages security-pages */
const pictures = process.env.BELFRY_LOOK
const WIDE = { width: 1440, height: 900 }
const WIDTHS = [360, 768]

/** What lies beyond an edge, cut off or to be scrolled to sideways. */
const beyond = (page: Page, edge: number) =>
  page.evaluate(
    (right) =>
      [...document.querySelectorAll('main *, nav *, header *')]
        .filter((element) => !element.closest('.sr-only'))
        .filter((element) => Math.round(element.getBoundingClientRect().right) > right)
        .map((element) => element.outerHTML.slice(0, 200)),
    edge,
  )

/**
 * Looks at a state as axe does, and at each width. Another theme changes the colours alone; for
 * pictures it is everything, in every theme.
 */
async function examine(page: Page, state: string, locale: string): Promise<void> {
  for (const theme of pictures ? THEMES : (['light', 'dark'] as const)) {
    await wear(page, theme)
    await expectAccessible(page, pictures || theme === 'light' ? undefined : ['color-contrast'])
    for (const width of pictures ? [...WIDTHS, WIDE.width] : []) {
      await page.setViewportSize({ ...WIDE, width })
      const name = `${state.replaceAll(/[^a-z0-9]+/gi, '-')}-${theme}-${locale}-${width}.png`
      await page.screenshot({ path: join(pictures ?? '', name) })
    }
  }
  for (const width of WIDTHS) {
    await page.setViewportSize({ ...WIDE, width })
    // The page takes a moment to lay itself out anew.
    await expect.poll(() => beyond(page, width), `${state}, ${width} px wide`).toEqual([])
    const excess = () => document.documentElement.scrollHeight - window.innerHeight
    expect(await page.evaluate(excess), `${state}: parts scroll, the window does not`).toBe(0)
  }
  await page.setViewportSize(WIDE)
}

for (const { name, settings, go } of walks) {
  test.describe(name, () => {
    test.use({ settings })

    // In Chinese too for pictures: the words are others, the page is the same.
    for (const locale of pictures ? (['en', 'zh-CN'] as const) : (['en'] as const)) {
      test(`is open to everybody, at any width: ${name}, ${locale}`, async ({
        browser,
        server,
      }) => {
        test.setTimeout(pictures ? 1_200_000 : 600_000)
        const page = await visit(browser, server, {
          locale,
          viewport: WIDE,
          reducedMotion: 'reduce',
        })
        const look = (state: string) => examine(page, state, locale)
        await go({ page, server, say: words(locale), look })
      })
    }
  })
}

test('the API can be read to its end, by whoever comes', async ({ browser, server }) => {
  const page = await visit(browser, server)
  await page.goto('/docs')
  const last = page.locator('summary').last()
  await last.scrollIntoViewIfNeeded()
  await expect(last).toBeInViewport()
  await last.click()
  await expect(page.locator('details[open]')).toContainText(/4\d\d/)
})

test('the page speaks Chinese, dates included, and remembers the choice', async ({
  browser,
  server,
}) => {
  await (await server.signIn('bob')).send('ann', 'The bell rings')
  const page = await visitAs(browser, server, 'ann')
  await page.getByRole('link', { name: 'Settings' }).click()
  await page.getByLabel('Language').selectOption('zh-CN')
  await expect(page.locator('html')).toHaveAttribute('lang', 'zh-CN')
  await page.getByRole('link', { name: '收件箱', exact: true }).first().click()
  await expect(page.getByRole('heading', { name: '今天' })).toBeVisible()
  await expect(page).toHaveTitle('(1) 收件箱 · Belfry')
  await page.reload()
  await expect(pill(page)).toContainText('实时')
  await page.keyboard.press('l')
  await expect(page.getByText('你锁定了此会话')).toBeVisible()
  await expect(page.getByRole('button', { name: '解锁' })).toBeVisible()
})

test('everything can be done with the keyboard alone', async ({ browser, server }) => {
  await (await server.signIn('bob')).send('ann', 'The bell rings')
  const page = await visitAs(browser, server, 'ann')
  await page.reload()
  await expect(row(page, 'The bell rings')).toBeVisible()
  await page.keyboard.press('Tab')
  await expect(page.getByRole('link', { name: 'Skip to content' })).toBeFocused()
  await page.keyboard.press('Enter')
  await expect(page.locator('#main')).toBeFocused()
  await page.getByTestId('account').focus()
  await page.keyboard.press('Enter')
  await expect(page.getByRole('menuitem').first()).toBeFocused()
  await page.keyboard.press('Enter')
  await expect(lockField(page)).toBeFocused()
  await unlock(page)
  await expect(row(page, 'The bell rings')).toBeVisible()
})

import type { Page } from '@playwright/test'
import {
  expect,
  expectAccessible,
  lockField,
  pill,
  row,
  test,
  toast,
  unlock,
  visit,
  visitAs,
} from './fixtures'
import type { Server } from './server'

const SEVERITIES = ['info', 'success', 'warning', 'critical']

async function fill(server: Server): Promise<void> {
  const device = await server.signIn('bob')
  for (const severity of SEVERITIES) {
    await device.send('ann', `A notice of severity ${severity}`, {
      severity,
      body: 'Its text',
      category: 'test',
    })
  }
  await device.send('ann', 'A title that is much too long '.repeat(6).trim(), {
    url: 'https://example.com/a/b',
  })
  await device.send('ann', 'پیام از راست به چپ', { body: 'متن' })
}

/** Walks every page and state, and lets a test look at each. */
async function walk(page: Page, server: Server, look: (state: string) => Promise<void>) {
  await look('sign in')
  await page.locator('[name=username]').fill('ann')
  await page.locator('[name=password]').fill('wrong')
  await page.keyboard.press('Enter')
  await expect(page.getByRole('alert')).not.toBeEmpty()
  await look('sign in, refused')
  await page.locator('[name=password]').fill('correct horse battery')
  await page.keyboard.press('Enter')
  await expect(page.locator('[data-notice]').first()).toBeVisible()
  await look('inbox')
  await (await server.signIn('bob')).send('ann', 'Just now', { severity: 'critical', body: 'Ring' })
  await expect(toast(page)).toBeVisible()
  await look('toast')
  await toast(page).getByRole('button').click()
  await row(page, 'Just now').click()
  await expect(page.getByTestId('detail').getByRole('heading')).toBeVisible()
  await look('message')
  for (const path of ['/compose', '/devices', '/settings', '/users', '/no/such/page']) {
    await page.goto(path)
    await expect(page.getByRole('heading', { level: 1 })).toBeVisible()
    await expect(page.getByText('…', { exact: true })).toHaveCount(0)
    await look(path)
  }
  await page.goto('/compose')
  await page.getByRole('combobox').fill('b')
  await expect(page.getByRole('option').first()).toBeVisible()
  await look('recipients offered')
  await page.keyboard.press('Escape')
  await page.locator('main form button.button-primary').click()
  await look('draft with faults')
  await page.getByTestId('account').click()
  await expect(page.getByRole('menu')).toBeVisible()
  await look('account menu')
  await page.keyboard.press('Escape')
  await expect(page.getByRole('menu')).toHaveCount(0)
  await page.goto('/inbox')
  await expect(page.locator('[data-notice]').first()).toBeVisible()
  await page.keyboard.press('?')
  await expect(page.getByRole('dialog')).toBeVisible()
  await look('shortcuts')
  await page.keyboard.press('Escape')
  await expect(page.getByRole('dialog')).toHaveCount(0)
  await page.keyboard.press('l')
  await expect(page.locator('[name=password]')).toBeVisible()
  await look('locked')
  await page.locator('[name=password]').fill('wrong')
  await page.keyboard.press('Enter')
  await expect(page.getByRole('alert')).not.toBeEmpty()
  await look('locked, wrong password')
  await page.locator('[name=password]').fill('correct horse battery')
  await page.keyboard.press('Enter')
  await expect(page.locator('[data-notice]').first()).toBeVisible()
  await (await server.signIn('ann')).call('delete', '/sessions')
  await expect(page.locator('[name=username]')).toBeVisible()
  await look('ended')
}

// Each theme in one language: what axe looks for does not hang on their combination.
for (const [colorScheme, locale] of [
  ['light', 'en-GB'],
  ['dark', 'zh-CN'],
] as const) {
  test(`no page has an axe violation: ${colorScheme}, ${locale}`, async ({ browser, server }) => {
    test.slow()
    await fill(server)
    const page = await visit(browser, server, { colorScheme, locale, reducedMotion: 'reduce' })
    await walk(page, server, () => expectAccessible(page))
  })
}

test.describe('what passes by itself', () => {
  test.use({ settings: { SESSION_IDLE: '30s' } })

  test('has no axe violation either: warning, connection lost', async ({ browser, server }) => {
    const page = await visitAs(browser, server, 'ann', { reducedMotion: 'reduce' })
    await expect(page.getByRole('alertdialog')).toBeVisible({ timeout: 20_000 })
    await expectAccessible(page)
    await page.emulateMedia({ colorScheme: 'dark' })
    await expectAccessible(page)
    await page.keyboard.press('Enter')
    await expect(page.getByRole('alertdialog')).toHaveCount(0)
    await server.stop()
    await expect(pill(page)).toContainText('Not live since')
    await expectAccessible(page)
    await page.emulateMedia({ colorScheme: 'light' })
    await expectAccessible(page)
  })
})

test('nothing is cut off or scrolls sideways at phone width', async ({ browser, server }) => {
  await fill(server)
  const viewport = { width: 360, height: 740 }
  const page = await visit(browser, server, { viewport, hasTouch: true, isMobile: true })
  await walk(page, server, async (state) => {
    const width = await page.evaluate(() => {
      const boxes = [...document.querySelectorAll('main *, nav *, header *')].filter(
        (element) => !element.closest('.sr-only'),
      )
      return Math.max(...boxes.map((element) => element.getBoundingClientRect().right))
    })
    expect(Math.round(width), state).toBeLessThanOrEqual(360)
  })
})

test('the page speaks Chinese, dates included, and remembers the choice', async ({
  browser,
  server,
}) => {
  await fill(server)
  const page = await visitAs(browser, server, 'ann')
  await page.getByRole('link', { name: 'Settings' }).click()
  await page.getByLabel('Language').selectOption('zh-CN')
  await expect(page.locator('html')).toHaveAttribute('lang', 'zh-CN')
  await page.getByRole('link', { name: '收件箱', exact: true }).first().click()
  await expect(page.getByRole('heading', { name: '今天' })).toBeVisible()
  await expect(page).toHaveTitle('(6) 收件箱 · Belfry')
  await page.reload()
  await expect(pill(page)).toContainText('实时')
  await page.keyboard.press('l')
  await expect(page.getByText('你锁定了此会话')).toBeVisible()
  await expect(page.getByRole('button', { name: '解锁' })).toBeVisible()
})

test('everything can be done with the keyboard alone', async ({ browser, server }) => {
  await fill(server)
  const page = await visitAs(browser, server, 'ann')
  await page.reload()
  await expect(row(page, 'A notice of severity info')).toBeVisible()
  await page.keyboard.press('Tab')
  await expect(page.getByRole('link', { name: 'Skip to content' })).toBeFocused()
  await page.keyboard.press('Enter')
  await expect(page.locator('#main')).toBeFocused()
  await page.getByTestId('account').focus()
  await page.keyboard.press('Enter')
  await page.keyboard.press('Enter')
  await expect(lockField(page)).toBeFocused()
  await unlock(page)
  await expect(row(page, 'A notice of severity info')).toBeVisible()
})

import type { Page } from '@playwright/test'
import { Authenticator } from './authenticator'
import { PASSWORD, expect, expectAccessible, pill, test as base, visit } from './fixtures'
import { Provider } from './provider'
import { Server } from './server'
import { THEMES, wear } from './states'

/** With every way to sign in on offer. */
const test = base.extend({
  server: async ({ settings }, use) => {
    let provider: Provider | undefined
    const server = await Server.create(settings, async (url) => {
      provider = await Provider.start(url)
      return provider.settings
    })
    await use(server)
    await server.remove()
    await provider?.stop()
  },
})

const withPassword = async (page: Page, name: string) => {
  await page.locator('[name=username]').fill(name)
  await page.locator('[name=password]').fill(PASSWORD)
  await page.keyboard.press('Enter')
}

/** Walks what is new to the eye, and lets a test look at each. Words are not looked for: it may be any language. */
async function walk(page: Page, look: (state: string) => Promise<void>) {
  await expect(page.locator('[data-way]').first()).toBeVisible()
  await look('sign in, all ways')
  await withPassword(page, 'ann')
  await expect(pill(page)).toContainText(/Live|实时/)
  await Authenticator.plugInto(page)

  await page.goto('/settings')
  const passkeys = page.getByTestId('passkeys')
  await passkeys.getByRole('button').click()
  await look('passkey, its name')
  await page.keyboard.press('Enter')
  await expect(passkeys.getByRole('listitem')).toHaveCount(1)
  await look('settings, a passkey')
  await passkeys.getByRole('listitem').getByRole('button').click()
  await expect(page.getByRole('dialog')).toBeVisible()
  await look('passkey, to be removed')
  await page.keyboard.press('Escape')
  await expect(page.getByRole('dialog')).toHaveCount(0)

  const app = page.getByTestId('authenticator')
  await app.getByRole('button').click()
  await expect(page.locator('svg[role=img] path')).toBeVisible()
  await look('authenticator, QR code')
  await page.locator('[autocomplete=one-time-code]').fill('000000')
  await page.keyboard.press('Enter')
  await expect(app.getByRole('alert')).not.toBeEmpty()
  await look('authenticator, wrong code')

  await page.goto('/admin/audit')
  await expect(page.getByTestId('audit')).toBeVisible()
  await look('audit')
  await page.goto('/admin/users')
  await page.getByRole('listitem').filter({ hasText: 'Bob Ng' }).getByRole('button').first().click()
  await expect(page.getByRole('menuitem').first()).toBeVisible()
  await look('users, what can be done')
  await page.getByRole('menuitem').first().click()
  await look('reset link, asked')
  await page.getByRole('dialog').getByRole('button').last().click()
  await expect(page.getByRole('dialog').getByRole('textbox')).toBeVisible()
  const link = await page.getByRole('dialog').getByRole('textbox').inputValue()
  await look('reset link')
  await page.keyboard.press('Escape')
  await expect(page.getByRole('dialog')).toHaveCount(0)
  await page.keyboard.press('l')
  await expect(page.locator('[data-way=passkey]')).toBeVisible()
  await look('locked, all ways')

  await page.goto(link)
  await expect(page.locator('form')).toBeVisible()
  await look('reset')
  await page.locator('input').first().fill('short')
  await page.locator('input').last().fill('different')
  await page.keyboard.press('Enter')
  await look('reset, with faults')
  await page.goto('/reset')
  await expect(page.getByRole('alert')).toBeVisible()
  await look('reset, a void link')
  await page.goto('/signed-in?state=x&error=access_denied')
  await expect(page.getByRole('alert')).toBeVisible()
  await look('signed in, declined')
}

/** See pages.spec.ts. */
const everything = process.env.BELFRY_LOOK !== undefined

/** Fails on what is beyond the right edge: cut off, or to be scrolled to sideways. */
async function expectWithin(page: Page, edge: number, state: string): Promise<void> {
  const furthest = () =>
    page.evaluate(() => {
      const boxes = [...document.querySelectorAll('main *, nav *, header *, [role=dialog] *')]
      const seen = boxes.filter((element) => !element.closest('.sr-only'))
      return Math.round(Math.max(...seen.map((element) => element.getBoundingClientRect().right)))
    })
  await expect.poll(furthest, state).toBeLessThanOrEqual(edge)
}

const PHONE = { viewport: { width: 360, height: 740 }, hasTouch: true, isMobile: true }

// Each theme, each language and each kind of screen once; all themes where pictures are taken.
for (const { where, ...screen } of [
  { where: 'a desk, in Chinese', colorScheme: 'light', locale: 'zh-CN' },
  { where: 'a phone, in the dark', colorScheme: 'dark', locale: 'en-GB', ...PHONE },
] as const) {
  test(`nothing of security has an axe violation or is cut off: ${where}`, async ({
    browser,
    server,
  }) => {
    test.setTimeout(everything ? 1_200_000 : 600_000)
    const page = await visit(browser, server, { ...screen, reducedMotion: 'reduce' })
    await walk(page, async (state) => {
      for (const theme of everything ? THEMES : []) {
        await wear(page, theme)
        await expectAccessible(page)
      }
      if (!everything) await expectAccessible(page)
      if ('viewport' in screen) await expectWithin(page, screen.viewport.width, state)
    })
  })
}

test('an authenticator app is set up with the keyboard alone', async ({ browser, server }) => {
  const page = await visit(browser, server)
  await withPassword(page, 'bob')
  await expect(pill(page)).toContainText('Live')
  await page.getByRole('link', { name: 'Settings' }).focus()
  await page.keyboard.press('Enter')
  await page.getByRole('button', { name: 'Set up' }).focus()
  await page.keyboard.press('Enter')
  await expect(page.getByRole('textbox', { name: 'Code' })).toBeFocused()
  await page.keyboard.press('Tab')
  await page.keyboard.press('Tab')
  await expect(page.getByRole('button', { name: 'Cancel' })).toBeFocused()
  await page.keyboard.press('Enter')
  await expect(page.getByRole('heading', { name: 'Authenticator app' })).toBeFocused()
  await page.keyboard.press('Tab')
  await expect(page.getByRole('button', { name: 'Set up' })).toBeFocused()
})

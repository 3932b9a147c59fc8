import type { Page } from '@playwright/test'
import { totp } from './authenticator'
import { PASSWORD, expect, pill, signIn, test, visit, visitAs } from './fixtures'

const code = (page: Page) => page.locator('[name=code]')

/** Sets up an app on the settings page. @returns its secret, and the recovery codes */
async function enrol(page: Page): Promise<{ secret: string; codes: string[] }> {
  await page.goto('/settings')
  await page.getByRole('button', { name: 'Set up' }).click()
  await expect(page.getByRole('img', { name: /^QR code/ })).toBeVisible()
  const secret = await page.getByTestId('totp-secret').innerText()
  await page.getByRole('textbox', { name: 'Code' }).fill(totp(secret))
  await page.getByRole('button', { name: 'Turn on' }).click()
  const codes = page.getByTestId('recovery-codes').getByRole('listitem')
  await expect(codes).toHaveCount(10)
  return { secret, codes: await codes.allInnerTexts() }
}

async function withPassword(page: Page): Promise<void> {
  await page.locator('[name=username]').fill('bob')
  await page.locator('[name=password]').fill(PASSWORD)
  await page.keyboard.press('Enter')
}

test('an authenticator app is set up, asked for at sign-in, and turned off', async ({
  browser,
  server,
}) => {
  const bob = await visitAs(browser, server, 'bob')
  await bob.goto('/settings')
  await bob.getByRole('button', { name: 'Set up' }).click()
  const secret = await bob.getByTestId('totp-secret').innerText()
  await bob.getByRole('textbox', { name: 'Code' }).fill('000000')
  await bob.getByRole('button', { name: 'Turn on' }).click()
  await expect(bob.getByText('This is not the code for now.').first()).toBeVisible()
  await expect(bob.getByRole('textbox', { name: 'Code' })).toBeFocused()
  await bob.getByRole('textbox', { name: 'Code' }).fill(totp(secret))
  await bob.keyboard.press('Enter')
  await expect(bob.getByRole('heading', { name: 'Your recovery codes' })).toBeFocused()
  await bob.getByRole('button', { name: 'I have kept them' }).click()
  await expect(bob.getByText('10 recovery codes are left.')).toBeVisible()

  const other = await visit(browser, server)
  await withPassword(other)
  await expect(code(other)).toBeFocused()
  await code(other).fill('000000')
  await other.keyboard.press('Enter')
  await expect(other.getByRole('alert')).toContainText('This code is not right')
  await code(other).fill(totp(secret, 1))
  await other.keyboard.press('Enter')
  await expect(pill(other)).toContainText('Live')

  await bob.getByRole('button', { name: 'Turn off' }).click()
  const dialog = bob.getByRole('dialog', { name: 'Turn the authenticator app off?' })
  await dialog.getByRole('button', { name: 'Turn off' }).click()
  await expect(bob.getByRole('button', { name: 'Set up' })).toBeVisible()
  await signIn(await visit(browser, server), 'bob')
})

test('a code that was used does not open the door again', async ({ browser, server }) => {
  const { secret } = await enrol(await visitAs(browser, server, 'bob'))
  const next = totp(secret, 1)
  for (const words of ['Live', 'This code is not right']) {
    const page = await visit(browser, server)
    await withPassword(page)
    await code(page).fill(next)
    await page.keyboard.press('Enter')
    await expect(page.getByText(words).first()).toBeVisible()
  }
})

test('a recovery code signs in once, as it is typed', async ({ browser, server }) => {
  const bob = await visitAs(browser, server, 'bob')
  const { codes } = await enrol(bob)
  const typed = codes[0]!.replaceAll('-', ' ').toLowerCase()
  for (const words of ['Live', 'This code is not right']) {
    const page = await visit(browser, server)
    await withPassword(page)
    await page.getByRole('button', { name: 'Use a recovery code instead' }).click()
    await expect(page.getByLabel('Recovery code')).toBeFocused()
    await page.keyboard.type(typed)
    await page.keyboard.press('Enter')
    await expect(page.getByText(words).first()).toBeVisible()
  }
  await bob.reload()
  await expect(bob.getByText('9 recovery codes are left.')).toBeVisible()
})

test('recovery codes can be downloaded, and new ones void the old', async ({ browser, server }) => {
  const bob = await visitAs(browser, server, 'bob')
  const { codes } = await enrol(bob)
  const download = bob.waitForEvent('download')
  await bob.getByRole('button', { name: 'Download' }).click()
  expect((await download).suggestedFilename()).toBe('belfry-recovery-codes-bob.txt')
  await bob.getByRole('button', { name: 'I have kept them' }).click()
  await bob.getByRole('button', { name: 'New recovery codes' }).click()
  await bob.getByRole('button', { name: 'Make new codes' }).click()
  const shown = bob.getByTestId('recovery-codes').getByRole('listitem')
  await expect(shown).toHaveCount(10)
  expect(await shown.allInnerTexts()).not.toContain(codes[0])
  const page = await visit(browser, server)
  await withPassword(page)
  await page.getByRole('button', { name: 'Use a recovery code instead' }).click()
  await page.keyboard.type(codes[0]!)
  await page.keyboard.press('Enter')
  await expect(page.getByRole('alert')).toContainText('This code is not right')
})

test('unlocking needs no code, and leaves the recovery codes on the page', async ({
  browser,
  server,
}) => {
  const bob = await visitAs(browser, server, 'bob')
  const { codes } = await enrol(bob)
  await bob.keyboard.press('l')
  await expect(bob.getByRole('heading', { name: 'Locked' })).toBeVisible()
  await expect(bob.getByText(codes[0]!)).not.toBeVisible()
  await bob.locator('[name=password]').fill(PASSWORD)
  await bob.keyboard.press('Enter')
  await expect(bob.getByText(codes[0]!)).toBeVisible()
})

import { expect, expectAccessible, lockField, test, visitAs } from './fixtures'

test.use({ settings: { SESSION_IDLE: '12s', HEARTBEAT: '500ms' } })

test('the warning takes no letter from who is typing', async ({ browser, server }) => {
  const bob = await visitAs(browser, server, 'bob')
  await bob.goto('/compose')
  await bob.getByLabel('Text').fill('Dear Ann, ')
  const warning = bob.getByRole('alertdialog', { name: 'Your session is about to lock' })
  await expect(warning).toBeVisible()
  await expect(bob.getByLabel('Text')).toBeFocused()
  await expect(warning.getByRole('alert')).toContainText('Any key keeps it open.')
  await bob.keyboard.type('thank you')
  await expect(warning).toHaveCount(0)
  await expect(bob.getByLabel('Text')).toHaveValue('Dear Ann, thank you')
})

test('the warning gives the focus back to where it was', async ({ browser, server }) => {
  const bob = await visitAs(browser, server, 'bob')
  const link = bob.getByRole('link', { name: 'Devices' })
  await link.focus()
  const warning = bob.getByRole('alertdialog')
  await expect(warning.getByRole('button')).toBeFocused()
  await bob.keyboard.press('Enter')
  await expect(warning).toHaveCount(0)
  await expect(link).toBeFocused()
})

test.describe('with time to look', () => {
  // Half of it is the warning, which axe and two clicks have to fit into on a busy machine.
  test.use({ settings: { SESSION_IDLE: '30s', HEARTBEAT: '500ms' } })

  test('the warning stands above a dialog, which stays open', async ({ browser, server }) => {
    const bob = await visitAs(browser, server, 'bob', { reducedMotion: 'reduce' })
    await bob.keyboard.press('?')
    const dialog = bob.getByRole('dialog', { name: 'Keyboard shortcuts' })
    await expect(dialog).toBeVisible()
    const warning = bob.getByRole('alertdialog')
    await expect(warning).toBeVisible()
    await expectAccessible(bob)
    await warning.getByRole('button', { name: 'Stay signed in' }).click()
    await expect(warning).toHaveCount(0)
    await expect(dialog).toBeVisible()
    await expect(lockField(bob)).toHaveCount(0)
  })
})

test('how long a session lasts is told beforehand', async ({ browser, server }) => {
  const bob = await visitAs(browser, server, 'bob')
  await bob.getByRole('link', { name: 'Settings' }).click()
  await expect(bob.getByText(/locks after 12 seconds without activity/)).toBeVisible()
  await expect(bob.getByText(/Within 12 hours/)).toBeVisible()
})

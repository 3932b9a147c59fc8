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
  visitAs,
} from './fixtures'

const sent = (page: Page, title: string) =>
  page.getByTestId('sent').getByRole('listitem').filter({ hasText: title })

test('what was sent shows who has read it, and can be taken from every inbox', async ({
  browser,
  server,
}) => {
  const ann = await visitAs(browser, server, 'ann')
  const bob = await visitAs(browser, server, 'bob')
  await ann.getByRole('link', { name: 'Compose' }).click()
  await ann.getByRole('button', { name: 'Everyone' }).click()
  await ann.getByLabel('Title').fill('Wrong numbers')
  await ann.getByLabel('Text').fill('Each order **counted** twice')
  await ann.getByLabel('Markdown').check()
  await expect(ann.getByRole('complementary').getByText('counted', { exact: true })).toBeVisible()
  await ann.getByLabel('Text').press('Control+Enter')
  await expect(ann.getByText('Sent.')).toBeVisible()
  await expect(ann.getByLabel('Title')).toHaveValue('')
  await row(bob, 'Wrong numbers').click()
  await expect(bob.getByTestId('detail')).toContainText('Each order')

  await ann.getByRole('link', { name: 'Sent' }).click()
  const mine = sent(ann, 'Wrong numbers')
  await expect(mine).toContainText('to everyone')
  await mine.getByRole('button', { name: 'Who has read' }).click()
  await expect(ann.getByRole('dialog').getByRole('listitem')).toHaveText(/Bob Ng/)
  await expectAccessible(ann)

  // What a lock covers is not there, and is again after it.
  await ann.keyboard.press('Escape')
  await ann.keyboard.press('l')
  await expect(lockField(ann)).toBeVisible()
  await expect(ann.getByText('Wrong numbers')).toHaveCount(0)
  await unlock(ann)

  await mine.getByRole('button', { name: 'Withdraw' }).click()
  await ann.getByRole('dialog').getByRole('button', { name: 'Withdraw' }).click()
  await expect(mine).toContainText('Withdrawn')
  await expect(row(bob, 'Wrong numbers')).toHaveCount(0)
  await expectAccessible(ann)

  // What was begun meanwhile is not lost to it.
  await ann.getByRole('link', { name: 'Write', exact: true }).click()
  await ann.getByLabel('Title').fill('Begun')
  await ann.getByRole('link', { name: 'Sent' }).click()
  await mine.getByRole('button', { name: 'Write again' }).click()
  await expect(ann.getByLabel('Title')).toHaveValue('Wrong numbers')
  await expect(ann.getByLabel('Text')).toHaveValue('Each order **counted** twice')
  await expect(ann.getByLabel('Markdown')).toBeChecked()
  await expect(ann.getByRole('button', { name: 'Remove' })).toHaveCount(0)
  await ann.getByRole('button', { name: 'Undo' }).click()
  await expect(ann.getByLabel('Title')).toHaveValue('Begun')
})

test('what is scheduled reaches nobody before its time, or never', async ({ browser, server }) => {
  const ann = await visitAs(browser, server, 'ann')
  const bob = await visitAs(browser, server, 'bob')
  await ann.goto('/compose')
  await ann.getByLabel('To', { exact: true }).pressSequentially('bob')
  await ann.getByRole('option', { name: /Bob Ng/ }).click()
  await ann.getByLabel('Title').fill('Never')
  await ann.getByText('More options').click()
  await ann.getByRole('button', { name: 'Monday at 9' }).click()
  await expect(ann.getByText(/Monday, .+ at 09:00 \(UTC\)/)).toBeVisible()
  await ann.getByRole('button', { name: 'Schedule' }).click()
  await expect(ann.getByText('Scheduled for Monday')).toBeVisible()

  // Time enough to see it wait.
  const deliver_at = new Date(Date.now() + 8_000).toISOString()
  await (await server.signIn('ann')).send('bob', 'Soon', { deliver_at })
  await ann.getByRole('link', { name: 'Sent' }).click()
  await expect(sent(ann, 'Soon')).toContainText('Scheduled')
  await expect(toast(bob)).toContainText('Soon')
  // Without anybody asking for it.
  await expect(sent(ann, 'Soon')).toContainText('0 of 1 read')

  await sent(ann, 'Never').getByRole('button', { name: 'Call off' }).click()
  await ann.getByRole('dialog').getByRole('button', { name: 'Call off' }).click()
  await expect(sent(ann, 'Never')).toContainText('Withdrawn')
  await expect(row(bob, 'Soon')).toBeVisible()
  await expect(row(bob, 'Never')).toHaveCount(0)
})

test('preferences reach every tab at once, and every device', async ({ browser, server }) => {
  const bob = await visitAs(browser, server, 'bob')
  const tab = await bob.context().newPage()
  await tab.goto('/settings')
  const phone = await visitAs(browser, server, 'bob', { locale: 'zh-CN' })
  await bob.goto('/settings')
  await bob.getByLabel('Theme').selectOption('contrast')
  await bob.getByLabel('Density').selectOption('compact')
  await bob.getByLabel('Language').selectOption('en')
  await bob.getByPlaceholder('Category').fill('billing')
  await bob.keyboard.press('Enter')
  await bob.getByRole('switch', { name: 'Quiet hours' }).click()
  await expect(bob.getByText(/From 22:00 to 0?7:00 of the next day/)).toBeVisible()
  await bob.getByLabel('Sunday').uncheck({ force: true })
  await expectAccessible(bob)

  await expect(tab.locator('html')).toHaveAttribute('data-theme', 'contrast')
  await expect(tab.getByRole('button', { name: 'Unmute billing' })).toBeVisible()
  await expect(tab.getByLabel('Sunday')).not.toBeChecked()

  await expect(phone.locator('html')).toHaveAttribute('lang', 'zh-CN')
  await phone.reload()
  await expect(pill(phone)).toContainText('Live')
  await expect(phone.locator('html')).toHaveAttribute('lang', 'en')
  await expect(phone.locator('html')).toHaveAttribute('data-density', 'compact')

  await bob.getByLabel('Your name').fill('Robert Ng')
  await bob.getByRole('button', { name: 'Save name' }).click()
  await expect(bob.getByTestId('account')).toHaveAccessibleName('Account of Robert Ng')
})

test('what is written while a message is on its way is kept', async ({ browser, server }) => {
  const ann = await visitAs(browser, server, 'ann')
  const title = ann.getByLabel('Title')
  let release = () => {}
  const held = new Promise<void>((resolve) => (release = resolve))
  await ann.route('**/api/v1/notices', async (route) => {
    await held
    await route.continue()
  })
  await ann.getByRole('link', { name: 'Compose' }).click()
  await ann.getByRole('button', { name: 'Everyone' }).click()
  await title.fill('First')
  await title.press('Control+Enter')
  await title.fill('Second')
  release()
  await expect(ann.getByText('Sent.')).toBeVisible()
  await expect(title).toHaveValue('Second')
})

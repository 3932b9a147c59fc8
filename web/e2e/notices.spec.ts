import { expect, row, test, toast, visit, visitAs, signIn } from './fixtures'

test('what is read or archived here is so in the other tab', async ({ browser, server }) => {
  const device = await server.signIn('ann')
  for (const title of ['Alpha', 'Beta', 'Gamma']) await device.send('bob', title)
  const first = await visitAs(browser, server, 'bob')
  const second = await first.context().newPage()
  await second.goto('/')
  await expect(second).toHaveTitle('(3) Inbox · Belfry')

  await row(first, 'Beta').click()
  await expect(first.getByTestId('detail').getByRole('heading', { name: 'Beta' })).toBeVisible()
  await expect(second).toHaveTitle('(2) Inbox · Belfry')

  await first.getByTestId('detail').getByRole('button', { name: 'Archive' }).click()
  await expect(row(second, 'Beta')).toHaveCount(0)
  await first.getByRole('button', { name: 'Undo' }).click()
  await expect(row(second, 'Alpha')).toBeVisible()
  await expect(row(first, 'Beta')).toBeVisible()

  await first.getByRole('button', { name: 'Mark all read' }).click()
  await expect(second).toHaveTitle('Inbox · Belfry')
  await second.reload()
  await expect(second).toHaveTitle('Inbox · Belfry')
})

test('views and search show what they say', async ({ browser, server }) => {
  const device = await server.signIn('ann')
  for (const title of ['Apple pie', 'Plum cake', '钟楼消息']) await device.send('bob', title)
  const bob = await visitAs(browser, server, 'bob')
  await row(bob, 'Plum cake').click()
  await expect(bob).toHaveTitle('(2) Inbox · Belfry')
  await bob.getByRole('button', { name: 'Unread', exact: true }).click()
  await expect(row(bob, 'Plum cake')).toHaveCount(0)
  await expect(row(bob, 'Apple pie')).toBeVisible()
  await bob.getByRole('button', { name: 'Archived', exact: true }).click()
  await expect(bob.getByText('Nothing archived.')).toBeVisible()
  await bob.getByRole('button', { name: 'Inbox', exact: true }).click()
  await bob.getByRole('searchbox').fill('钟楼')
  await expect(row(bob, '钟楼消息')).toBeVisible()
  await expect(row(bob, 'Apple pie')).toHaveCount(0)
  await bob.getByRole('searchbox').fill('nothing like it')
  await expect(bob.getByText('No message matches “nothing like it”.')).toBeVisible()
})

test('keys move, archive and mark', async ({ browser, server }) => {
  const device = await server.signIn('ann')
  for (const title of ['One', 'Two', 'Three']) await device.send('bob', title)
  const bob = await visitAs(browser, server, 'bob')
  const heading = bob.getByTestId('detail').getByRole('heading')
  await expect(row(bob, 'Three')).toBeVisible()
  await bob.keyboard.press('j')
  await expect(heading).toHaveText('Three')
  await bob.keyboard.press('j')
  await expect(heading).toHaveText('Two')
  await bob.keyboard.press('k')
  await expect(heading).toHaveText('Three')
  await bob.keyboard.press('e')
  await expect(row(bob, 'Three')).toHaveCount(0)
  await expect(heading).toHaveText('Two')
  await expect(bob).toHaveTitle('(1) Inbox · Belfry')
  await bob.keyboard.press('u')
  await expect(bob).toHaveTitle('(2) Inbox · Belfry')
  await bob.keyboard.press('/')
  await expect(bob.getByRole('searchbox')).toBeFocused()
  await bob.keyboard.type('j')
  await expect(bob.getByRole('searchbox')).toHaveValue('j')
})

test('many at once become one line, critical ones stay', async ({ browser, server }) => {
  const bob = await visitAs(browser, server, 'bob')
  const device = await server.signIn('ann')
  for (let n = 1; n <= 6; n++) await device.send('bob', `Number ${n}`)
  await expect(toast(bob)).toContainText('Number 1')
  await expect(bob).toHaveTitle('(6) Inbox · Belfry')
  await toast(bob).getByRole('button', { name: 'Dismiss' }).click()
  await expect(toast(bob)).toContainText('5 new messages')
  await toast(bob).getByRole('button', { name: 'Dismiss' }).click()
  await device.send('bob', 'House on fire', { severity: 'critical' })
  await expect(toast(bob)).toContainText('House on fire')
  await bob.clock.install()
  await bob.clock.runFor(30_000)
  await expect(toast(bob)).toContainText('House on fire')
})

test('new messages do not move what is being read', async ({ browser, server }) => {
  const device = await server.signIn('ann')
  for (let n = 1; n <= 40; n++) await device.send('bob', `Number ${n}`)
  const bob = await visitAs(browser, server, 'bob')
  const list = bob.getByTestId('list')
  await expect(row(bob, 'Number 40')).toBeVisible() // an empty list does not scroll
  await list.evaluate((element) => element.scrollTo(0, 600))
  const before = await row(bob, 'Number 25').boundingBox()
  await device.send('bob', 'Fresh')
  await expect(bob.getByRole('button', { name: '1 new' })).toBeVisible()
  const after = await row(bob, 'Number 25').boundingBox()
  expect(Math.abs((after?.y ?? 0) - (before?.y ?? 1e9))).toBeLessThan(2)
  // The browser tells of scrolling with its next frame only: what changes before takes nobody back.
  const stays = await list.evaluate((element) => {
    element.scrollTop = 300
    element.querySelector<HTMLElement>('button[aria-label="Mark read"]')?.click()
    const frame = () => new Promise(requestAnimationFrame)
    return frame()
      .then(frame)
      .then(() => element.scrollTop)
  })
  expect(stays).toBe(300)
  await bob.getByRole('button', { name: '1 new' }).click()
  await device.send('bob', 'On the way up')
  await expect(row(bob, 'On the way up')).toBeInViewport()
  await expect(row(bob, 'Fresh')).toBeInViewport()
})

test('a row that loses its day to a newer one stays where it is', async ({ browser, server }) => {
  const device = await server.signIn('ann')
  for (let n = 1; n <= 40; n++) await device.send('bob', `Number ${n}`)
  const bob = await visitAs(browser, server, 'bob')
  const first = row(bob, 'Number 40')
  await expect(first).toBeVisible()
  await bob.getByTestId('list').evaluate((element) => {
    const told = new Promise((heard) => element.addEventListener('scroll', heard, { once: true }))
    element.scrollTop = 20
    return told
  })
  const before = await first.boundingBox()
  await device.send('bob', 'Fresh')
  await expect(bob.getByRole('button', { name: '1 new' })).toBeVisible()
  const after = await first.boundingBox()
  expect(Math.abs((after?.y ?? 0) - (before?.y ?? 1e9))).toBeLessThan(2)
})

test('older messages are loaded as one scrolls', async ({ browser, server }) => {
  const device = await server.signIn('ann')
  for (let n = 1; n <= 60; n++) await device.send('bob', `Number ${n}.`)
  const bob = await visitAs(browser, server, 'bob')
  const list = bob.getByTestId('list')
  await expect(async () => {
    await list.evaluate((element) => element.scrollTo(0, element.scrollHeight))
    await expect(row(bob, 'Number 1.')).toBeVisible({ timeout: 500 })
  }).toPass()
  const last = list.getByRole('listitem').last()
  await expect(last).toHaveAttribute('aria-posinset', '60')
  await expect(last).toHaveAttribute('aria-setsize', '60')
})

test('desktop pop-ups are asked for in the inbox, and can be put off', async ({
  browser,
  server,
}) => {
  const bob = await visit(browser, server)
  // A browser without a screen answers for its user; this one has not been asked yet.
  await bob.context().addInitScript(() => {
    Object.defineProperty(Notification, 'permission', { get: () => 'default' })
  })
  await bob.reload()
  await signIn(bob, 'bob')
  const question = bob.getByText('Show new messages on your desktop')
  await expect(bob.getByText('Nothing here.')).toBeVisible()
  await expect(question).toHaveCount(0)
  await (await server.signIn('ann')).send('bob', 'First')
  await expect(question).toBeVisible()
  await bob.getByRole('button', { name: 'Not now' }).click()
  await expect(question).toHaveCount(0)
  await bob.reload()
  await expect(row(bob, 'First')).toBeVisible()
  await expect(question).toHaveCount(0)
})

test('faults of a draft are told beside their field, and the text is kept', async ({
  browser,
  server,
}) => {
  const bob = await visitAs(browser, server, 'bob')
  await bob.goto('/compose')
  await bob.getByLabel('Link').fill('javascript:alert(1)')
  await bob.getByRole('button', { name: 'Send' }).click()
  await expect(bob.getByText('Choose at least one recipient.')).toBeVisible()
  await expect(bob.getByText('A message needs a title.')).toBeVisible()
  await expect(bob.getByText('Only http, https, or a path')).toBeVisible()
  await bob.getByLabel('Title').fill('Kept')
  await bob.getByRole('link', { name: 'Devices' }).click()
  await bob.getByRole('link', { name: 'Compose' }).click()
  await expect(bob.getByLabel('Title')).toHaveValue('Kept')
})

test('text is shown as it was written, and never as markup', async ({ browser, server }) => {
  const title = '<img src=x onerror="window.hacked=1"> {{ 1 + 1 }} 🔔'
  await (await server.signIn('ann')).send('bob', title, { body: '<b>bold</b>\n**not markdown**' })
  const bob = await visitAs(browser, server, 'bob')
  await row(bob, 'onerror').click()
  await expect(bob.getByTestId('detail').getByRole('heading')).toHaveText(title)
  await expect(bob.getByTestId('detail')).toContainText('<b>bold</b>')
  expect(await bob.evaluate(() => 'hacked' in window)).toBe(false)
})

test('a wrong password is refused in words', async ({ browser, server }) => {
  const page = await visit(browser, server)
  await page.getByLabel('User name').fill('bob')
  await page.getByLabel('Password').fill('wrong')
  await page.getByRole('button', { name: 'Sign in', exact: true }).click()
  await expect(page.getByRole('alert')).toHaveText('This user name and password do not match.')
  await signIn(page, 'bob')
})

test('an administrator adds a user, who can sign in; others see no such page', async ({
  browser,
  server,
}) => {
  const ann = await visitAs(browser, server, 'ann')
  await ann.getByRole('link', { name: 'Admin' }).click()
  await ann.getByRole('link', { name: 'Users' }).click()
  await ann.getByRole('button', { name: 'New user' }).click()
  await ann.getByLabel('User name').fill('carol')
  await ann.getByLabel('Name shown').fill('Carol Diaz')
  await ann.getByLabel('Password').fill('a long password')
  await ann.getByRole('button', { name: 'Create' }).click()
  await expect(ann.getByText('Carol Diaz can sign in now.')).toBeVisible()
  await expect(ann.getByRole('listitem').filter({ hasText: 'carol' })).toBeVisible()
  const carol = await visit(browser, server)
  await signIn(carol, 'carol', 'a long password')
  await expect(carol.getByRole('link', { name: 'Admin' })).toHaveCount(0)
  await carol.goto('/admin/users')
  await expect(carol).toHaveURL(/\/inbox$/)
})

test('archiving goes on to the next at once, and a late answer leads nowhere', async ({
  browser,
  server,
}) => {
  const ann = await server.signIn('ann')
  for (const name of ['E', 'D', 'C', 'B', 'A']) await ann.send('bob', `Row ${name}`)
  const bob = await visitAs(browser, server, 'bob')
  const detail = bob.getByTestId('detail')
  await row(bob, 'Row A').click()
  await expect(detail).toContainText('Row A')
  const held: (() => Promise<void>)[] = []
  await bob.route('**/api/v1/notices/state', async (route) => {
    if (!route.request().postData()?.includes('archived')) return route.continue()
    held.push(() => route.continue())
  })
  await bob.keyboard.press('e')
  await expect(detail).toContainText('Row B')
  await bob.keyboard.press('e')
  await expect(detail).toContainText('Row C')
  await detail.getByRole('button', { name: 'Archive' }).click()
  await row(bob, 'Row E').click()
  await expect(detail).toContainText('Row E')
  for (const [n, name] of ['A', 'B', 'C'].entries()) {
    await held[n]?.()
    await expect(bob.getByText(`Archived “Row ${name}”`)).toBeVisible()
  }
  await expect(detail).toContainText('Row E')
})

test('what is chosen while others are archived stays chosen', async ({ browser, server }) => {
  const ann = await server.signIn('ann')
  for (const name of ['C', 'B', 'A']) await ann.send('bob', `Row ${name}`)
  const bob = await visitAs(browser, server, 'bob')
  const held: (() => Promise<void>)[] = []
  await bob.route('**/api/v1/notices/state', (route) => {
    held.push(() => route.continue())
  })
  await bob.getByRole('checkbox', { name: 'Row A' }).check({ force: true })
  await bob.keyboard.press('e')
  await expect(row(bob, 'Row A')).toHaveCount(0)
  await bob.getByRole('checkbox', { name: 'Row B' }).check({ force: true })
  for (const answer of held) await answer()
  await expect(bob.getByText('Archived “Row A”')).toBeVisible()
  await expect(bob.getByRole('checkbox', { name: 'Row B' })).toBeChecked()
})

test('in the archive the key takes what is chosen out of it', async ({ browser, server }) => {
  const ann = await server.signIn('ann')
  const id = await ann.send('bob', 'Row A')
  await (await server.signIn('bob')).call('patch', `/notices/${id}`, { archived: true })
  const bob = await visitAs(browser, server, 'bob')
  await bob.getByRole('button', { name: 'Archived', exact: true }).click()
  await bob.getByRole('checkbox', { name: 'Row A' }).check({ force: true })
  await bob.keyboard.press('e')
  await expect(row(bob, 'Row A')).toHaveCount(0)
  await bob.getByRole('button', { name: 'Inbox', exact: true }).click()
  await expect(row(bob, 'Row A')).toBeVisible()
})

test('taking back an archive puts off again what was put off', async ({ browser, server }) => {
  const ann = await server.signIn('ann')
  const id = await ann.send('bob', 'Row A')
  const until = new Date(Date.now() + 86_400_000).toISOString()
  await (await server.signIn('bob')).call('patch', `/notices/${id}`, { snoozed_until: until })
  const bob = await visitAs(browser, server, 'bob')
  await bob.getByRole('button', { name: 'Snoozed', exact: true }).click()
  await row(bob, 'Row A').focus()
  await bob.keyboard.press('e')
  await expect(row(bob, 'Row A')).toHaveCount(0)
  await bob.getByRole('button', { name: 'Undo' }).click()
  await expect(row(bob, 'Row A')).toBeVisible()
})

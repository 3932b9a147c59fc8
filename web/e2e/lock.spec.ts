import {
  PASSWORD,
  accessibleText,
  expect,
  lockField,
  pill,
  row,
  signIn,
  test,
  toast,
  unlock,
  visitAs,
} from './fixtures'

/** Notes when the lock is due by the server, when a request at that time is refused, and when the lock is shown. */
async function watchLock(): Promise<void> {
  const asked = Date.now()
  const session = async () => (await (await fetch('/api/v1/session')).json()) as Asked
  const remaining = (await session()).idle_remaining_ms
  const lock: Window['lock'] = { due: Date.now() + remaining, slow: Date.now() - asked }
  window.lock = lock
  const look = () => {
    if (document.querySelector('[autocomplete=current-password]')) lock.shown ??= Date.now()
  }
  new MutationObserver(look).observe(document.body, { subtree: true, childList: true })
  setTimeout(async () => {
    while ((await session()).state !== 'locked') await new Promise((done) => setTimeout(done, 20))
    lock.refused = Date.now()
  }, remaining)
}

interface Asked {
  state: string
  idle_remaining_ms: number
}

declare global {
  interface Window {
    lock: { due: number; slow: number; refused?: number; shown?: number }
  }
}

test.describe('a session without activity', () => {
  test.use({ settings: { SESSION_IDLE: '10s', HEARTBEAT: '500ms' } })

  // Security: L3, L5, L15
  test('locks on time though the stream is open, and comes back as it was', async ({
    browser,
    server,
  }) => {
    const device = await server.signIn('ann')
    for (let n = 1; n <= 30; n++) await device.send('bob', `Number ${n}`)
    const bob = await visitAs(browser, server, 'bob')
    await bob.getByTestId('list').evaluate((element) => element.scrollTo(0, 400))
    await bob.getByRole('link', { name: 'Compose' }).click()
    await bob.getByLabel('Title').fill('Half a tho')
    const text = bob.getByLabel('Text')
    await text.pressSequentially('Dear Ann, ')
    await text.press('ArrowLeft')

    // From the last activity that the server heard of, not from the last key.
    await bob.evaluate(watchLock)
    const warning = bob.getByRole('alertdialog')
    await expect(warning).toContainText(/Your session locks in 0:0[1-5]/)
    await expect(lockField(bob)).toBeVisible()
    await bob.waitForFunction(() => window.lock.refused && window.lock.shown)
    const { due, slow, refused, shown } = await bob.evaluate(() => window.lock)
    const [late, usual] = [shown! - due, refused! - due]
    console.log(
      `locked ${late} ms after the deadline; a request then was refused after ${usual} ms`,
    )
    expect(late).toBeGreaterThan(-slow - 1_000)
    // What a timer and a request take on this machine is not the lock's.
    expect(late).toBeLessThan(usual + 1_000)

    await expect(lockField(bob)).toBeFocused()
    await expect(bob.getByText('Locked after 10 seconds without activity')).toBeVisible()
    await expect(bob).toHaveTitle('Belfry')
    await expect(warning).toHaveCount(0)
    const spoken = await accessibleText(bob)
    expect(spoken).toContain('Unlock')
    for (const secret of ['Half a tho', 'Dear Ann', 'Compose', 'Inbox'])
      expect(spoken).not.toContain(secret)
    await expect(text).not.toBeVisible()

    // What comes meanwhile is not shown either, and is there afterwards.
    const other = await server.signIn('ann')
    await other.send('bob', 'While you were away')
    await unlock(bob)
    await expect(bob.getByLabel('Title')).toHaveValue('Half a tho')
    await expect(text).toHaveValue('Dear Ann, ')
    await expect(text).toBeFocused()
    expect(await text.evaluate((area: HTMLTextAreaElement) => area.selectionStart)).toBe(9)
    await expect(bob).toHaveTitle('(31) Compose · Belfry')
    await expect(toast(bob)).toContainText('While you were away')
    await expect(pill(bob)).toContainText('Live')
  })

  test('stays while somebody works, and by the button of the warning', async ({
    browser,
    server,
  }) => {
    const bob = await visitAs(browser, server, 'bob')
    const warning = bob.getByRole('alertdialog')
    await expect(warning).toBeVisible()
    await expect(warning.getByRole('button', { name: 'Stay signed in' })).toBeFocused()
    await warning.getByRole('button', { name: 'Stay signed in' }).click()
    await expect(warning).toHaveCount(0)
    const session = await (await bob.request.get('/api/v1/session')).json()
    expect(session.state).toBe('active')
    expect(session.idle_remaining_ms).toBeGreaterThan(8_000)

    await expect(warning).toBeVisible()
    await bob.keyboard.press('Enter')
    await expect(warning).toHaveCount(0)
  })

  // Security: L9
  test('warns in one tab only until another tab is used', async ({ browser, server }) => {
    const first = await visitAs(browser, server, 'bob')
    const second = await first.context().newPage()
    await second.goto('/')
    await expect(pill(second)).toContainText('Live')
    await expect(first.getByRole('alertdialog')).toBeVisible()
    await second.keyboard.press('Shift')
    await expect(first.getByRole('alertdialog')).toHaveCount(0)
    await expect(second.getByRole('alertdialog')).toHaveCount(0)
  })
})

test.describe('a session at its longest time', () => {
  test.use({ settings: { SESSION_IDLE: '1m', SESSION_MAX: '8s', SESSION_WARNING: '4s' } })

  // Security: S7, L15
  test('says so, ends, and is continued in place', async ({ browser, server }) => {
    const bob = await visitAs(browser, server, 'bob')
    await bob.getByRole('link', { name: 'Compose' }).click()
    await bob.getByLabel('Title').fill('Not lost')
    const warning = bob.getByRole('alertdialog')
    await expect(warning).toContainText('You sign in again in 0:0')
    await expect(warning.getByRole('button')).toHaveCount(0)
    await expect(bob.getByRole('heading', { name: 'Sign in again' })).toBeVisible()
    await expect(bob.getByText('This session has reached its longest time')).toBeVisible()
    expect(await accessibleText(bob)).not.toContain('Not lost')
    await expect(bob.getByLabel('User name')).toHaveValue('bob')
    await bob.getByLabel('Password').fill(PASSWORD)
    await bob.getByRole('button', { name: 'Sign in', exact: true }).click()
    await expect(bob.getByLabel('Title')).toHaveValue('Not lost')
    await expect(pill(bob)).toContainText('Live')
    await (await server.signIn('ann')).send('bob', 'Still ringing')
    await expect(bob).toHaveTitle('(1) Compose · Belfry')
  })

  // Security: L16
  test('lets another user start clean', async ({ browser, server }) => {
    const page = await visitAs(browser, server, 'bob')
    await page.getByRole('link', { name: 'Compose' }).click()
    await page.getByLabel('Title').fill('For nobody else')
    await expect(page.getByRole('heading', { name: 'Sign in again' })).toBeVisible()
    await page.getByLabel('User name').fill('ann')
    await page.getByLabel('Password').fill(PASSWORD)
    await page.getByRole('button', { name: 'Sign in', exact: true }).click()
    await expect(page).toHaveURL(/\/inbox$/)
    await page.getByRole('link', { name: 'Compose' }).click()
    await expect(page.getByLabel('Title')).toHaveValue('')
  })
})

// Security: L9
test('locking by key covers every tab, and unlocking one brings back all', async ({
  browser,
  server,
}) => {
  await (await server.signIn('ann')).send('bob', 'For my eyes')
  const first = await visitAs(browser, server, 'bob')
  const second = await first.context().newPage()
  await second.goto('/')
  await expect(row(second, 'For my eyes')).toBeVisible()
  await first.keyboard.press('l')
  for (const page of [first, second]) {
    await expect(lockField(page)).toBeVisible()
    await expect(page.getByText('You locked this session')).toBeVisible()
    expect(await accessibleText(page)).not.toContain('For my eyes')
  }
  await unlock(second)
  for (const page of [first, second]) {
    await expect(row(page, 'For my eyes')).toBeVisible()
    await expect(pill(page)).toContainText('Live')
  }
})

test('a lock without a network holds once there is one', async ({ browser, server }) => {
  const bob = await visitAs(browser, server, 'bob')
  await bob.context().setOffline(true)
  await bob.keyboard.press('l')
  await expect(bob.getByRole('button', { name: 'Try again' })).toBeVisible()
  await bob.context().setOffline(false)
  await expect(lockField(bob)).toBeVisible({ timeout: 15_000 })
})

// Security: L1
test('a reload does not get past the lock', async ({ browser, server }) => {
  await (await server.signIn('ann')).send('bob', 'For my eyes')
  const bob = await visitAs(browser, server, 'bob')
  await bob.keyboard.press('l')
  await expect(lockField(bob)).toBeVisible()
  await bob.reload()
  await expect(lockField(bob)).toBeVisible()
  expect(await bob.content()).not.toContain('For my eyes')
  await unlock(bob)
  await expect(row(bob, 'For my eyes')).toBeVisible()
  await expect(pill(bob)).toContainText('Live')
})

test('an open dialog and its text survive, and take no key of the lock screen', async ({
  browser,
  server,
}) => {
  const bob = await visitAs(browser, server, 'bob')
  await bob.keyboard.press('?')
  const dialog = bob.getByRole('dialog', { name: 'Keyboard shortcuts' })
  await expect(dialog).toBeVisible()
  const other = await server.signIn('bob')
  const { items } = await other.call<{ items: { id: string; current: boolean }[] }>(
    'get',
    '/sessions',
  )
  const page = items.find(({ current }) => !current)
  await other.call('post', `/sessions/${page?.id}/lock`)
  await expect(lockField(bob)).toBeFocused()
  await expect(bob.getByText('Locked by you on another device')).toBeVisible()
  await expect(dialog).not.toBeVisible()
  await bob.keyboard.press('Escape')
  await lockField(bob).click()
  await bob.keyboard.press('Tab')
  await expect(bob.getByRole('button', { name: 'Unlock' })).toBeFocused()
  await unlock(bob)
  await expect(dialog).toBeVisible()
})

// Security: L17
test('wrong passwords are counted, and the fifth ends the session', async ({ browser, server }) => {
  const bob = await visitAs(browser, server, 'bob')
  await bob.keyboard.press('l')
  for (const words of [
    '4 tries are left',
    '3 tries are left',
    '2 tries are left',
    '1 try is left',
  ]) {
    await unlock(bob, 'wrong')
    await expect(bob.getByRole('alert')).toContainText(words)
    await expect(lockField(bob)).toBeFocused()
    await expect(lockField(bob)).toHaveValue('')
  }
  await unlock(bob, 'wrong')
  await expect(bob.getByText('Too many wrong passwords')).toBeVisible()
  await bob.getByLabel('Password').fill(PASSWORD)
  await bob.getByRole('button', { name: 'Sign in', exact: true }).click()
  await expect(pill(bob)).toContainText('Live')
})

test('a session ended on another device asks for the full sign-in in place', async ({
  browser,
  server,
}) => {
  const bob = await visitAs(browser, server, 'bob')
  await bob.getByRole('link', { name: 'Compose' }).click()
  await bob.getByLabel('Text').fill('Kept')
  await (await server.signIn('bob')).call('delete', '/sessions')
  await expect(bob.getByText('You ended this session on another device')).toBeVisible()
  expect(await accessibleText(bob)).not.toContain('Kept')
  await bob.getByLabel('Password').fill(PASSWORD)
  await bob.getByRole('button', { name: 'Sign in', exact: true }).click()
  await expect(bob.getByLabel('Text')).toHaveValue('Kept')
})

// Security: S12
test('a device can be locked and ended from the list', async ({ browser, server }) => {
  const bob = await visitAs(browser, server, 'bob')
  const other = await visitAs(browser, server, 'bob')
  await bob.getByRole('link', { name: 'Devices' }).click()
  const devices = bob.getByRole('main').getByRole('listitem')
  await expect(devices).toHaveCount(2)
  const far = devices.filter({ hasNotText: 'This one' })
  await far.getByRole('button', { name: /^Lock/ }).click()
  await expect(lockField(other)).toBeVisible()
  await expect(far).toContainText('Locked')

  // The proof of the password is fresh after a sign-in; here the server wants it again.
  let asked = false
  await bob.route('**/api/v1/sessions/*', async (route) => {
    if (asked || route.request().method() !== 'DELETE') return route.fallback()
    asked = true
    await route.fulfill({
      status: 403,
      contentType: 'application/problem+json',
      body: JSON.stringify({ status: 403, code: 'reauthentication_required' }),
    })
  })
  await far.getByRole('button', { name: /^End/ }).click()
  const dialog = bob.getByRole('dialog', { name: 'Confirm that it is you' })
  await dialog.getByLabel('Password').fill('wrong')
  await dialog.getByRole('button', { name: 'Confirm' }).click()
  await expect(dialog).toContainText('Wrong password.')
  await dialog.getByLabel('Password').fill(PASSWORD)
  await dialog.getByRole('button', { name: 'Confirm' }).click()
  await expect(dialog).toHaveCount(0)
  await expect(devices).toHaveCount(1)
  await expect(other.getByRole('heading', { name: 'Sign in again' })).toBeVisible()
})

// Security: S31, S33
test('signing out leaves nothing, in no tab, and keeps the choice of theme', async ({
  browser,
  server,
}) => {
  const first = await visitAs(browser, server, 'bob')
  await first.goto('/settings')
  await first.getByLabel('Theme').selectOption('dark')
  const second = await first.context().newPage()
  await second.goto('/compose')
  await second.getByLabel('Title').fill('Gone')
  await first.getByTestId('account').click()
  await first.getByRole('menuitem', { name: 'Sign out' }).click()
  await expect(first.getByRole('heading', { name: 'Sign in to Belfry' })).toBeVisible()
  await expect(first.locator('html')).toHaveAttribute('data-theme', 'dark')
  await expect(second.getByText('You signed out')).toBeVisible()
  await expect(second.getByLabel('Title')).toHaveCount(0)
  await second.getByLabel('Password').fill(PASSWORD)
  await second.getByRole('button', { name: 'Sign in', exact: true }).click()
  await second.getByRole('link', { name: 'Compose' }).click()
  await expect(second.getByLabel('Title')).toHaveValue('')
})

// Security: L16
test('a locked page lets someone else sign in', async ({ browser, server }) => {
  const page = await visitAs(browser, server, 'bob')
  await page.keyboard.press('l')
  await page.getByRole('button', { name: 'Sign in as someone else' }).click()
  await expect(page.getByRole('heading', { name: 'Sign in to Belfry' })).toBeVisible()
  await signIn(page, 'ann')
  await expect(page.getByTestId('account')).toHaveAccessibleName('Account of Ann Keller')
})

test('changing the password ends the other sessions and keeps this one', async ({
  browser,
  server,
}) => {
  const bob = await visitAs(browser, server, 'bob')
  const other = await visitAs(browser, server, 'bob')
  await bob.goto('/settings')
  await bob.getByLabel('Current password').fill('wrong')
  await bob.getByLabel('New password', { exact: true }).fill('another password')
  await bob.getByLabel('New password again').fill('another password')
  await bob.getByRole('button', { name: 'Change password' }).click()
  await expect(bob.getByText('The current password is wrong.')).toBeVisible()
  await bob.getByLabel('Current password').fill(PASSWORD)
  await bob.getByRole('button', { name: 'Change password' }).click()
  await expect(bob.getByText('Password changed.')).toBeVisible()
  await expect(other.getByText('The password was changed')).toBeVisible()
  await expect(pill(bob)).toContainText('Live')
  await bob.reload()
  await expect(pill(bob)).toContainText('Live')
})

// Security: L6
test('nothing is shown before the server has said so', async ({ browser, server }) => {
  await (await server.signIn('ann')).send('bob', 'For my eyes')
  const bob = await visitAs(browser, server, 'bob')
  await expect(row(bob, 'For my eyes')).toBeVisible()
  const page = await bob.context().newPage()
  let say = () => {}
  const said = new Promise<void>((resolve) => (say = resolve))
  const asked = page.waitForRequest('**/api/v1/session')
  await page.route('**/api/v1/session', async (route) => {
    await said
    await route.continue()
  })
  await page.goto('/')
  await asked
  expect(await page.content()).not.toContain('For my eyes')
  expect(await accessibleText(page)).not.toContain('For my eyes')
  say()
  await expect(row(page, 'For my eyes')).toBeVisible()
})

test('a page opened while the server is away comes by itself once it is back', async ({
  browser,
  server,
}) => {
  const bob = await visitAs(browser, server, 'bob')
  // What a proxy says while the server behind it starts anew.
  await bob.route('**/api/v1/session', (route) =>
    route.fulfill({ status: 502, body: 'Bad gateway' }),
  )
  await bob.reload()
  await expect(bob.getByRole('button', { name: 'Try again' })).toBeVisible()
  await bob.unroute('**/api/v1/session')
  await expect(pill(bob)).toContainText('Live', { timeout: 15_000 })
})

import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { expect, lockField, row, test, toast, visitAs } from './fixtures'
import type { Server } from './server'

const images = join(import.meta.dirname, '../../docs/images')

async function tell(server: Server): Promise<void> {
  const device = await server.signIn('bob')
  const say = (title: string, more: object) => device.send('ann', title, more)
  await say('Welcome to Belfry', { body: 'Messages ring here at once.' })
  await say('Nightly backup finished', {
    severity: 'success',
    body: '14.2 GB in 6 minutes',
    category: 'backup',
  })
  await say('Contract signed', {
    severity: 'success',
    body: 'Hartmann & Co. took the offer of 12 November.',
  })
  await say('Certificate expires in 7 days', { severity: 'warning', body: 'api.example.com' })
  await say('Deploy finished', {
    body: 'web 4.12.0 runs on all nodes',
    url: 'https://deploy.example.com/4.12',
  })
  await say('Disk at 91 %', {
    severity: 'warning',
    category: 'storage',
    url: 'https://grafana.example.com/d/disk',
    body: 'db-1, /var\nGrew by 4 % in the last hour.\n\nLargest: the archive of the write-ahead log.',
  })
}

// The pictures of the README, made on request: SCREENSHOTS=1 npm run e2e -- screenshots
if (process.env.SCREENSHOTS === '1') {
  const desk = { viewport: { width: 1280, height: 800 } }
  const phone = { viewport: { width: 390, height: 844 }, deviceScaleFactor: 2 }
  const pictures = [
    { name: 'inbox-light', options: { ...desk, colorScheme: 'light' } },
    { name: 'inbox-dark', options: { ...desk, colorScheme: 'dark' } },
    { name: 'inbox-zh-CN', options: { ...desk, colorScheme: 'light' }, chinese: true },
    { name: 'inbox-phone', options: { ...phone, colorScheme: 'light' } },
  ] as const

  for (const { name, options, ...rest } of pictures) {
    test(`picture: ${name}`, async ({ browser, server }) => {
      mkdirSync(images, { recursive: true })
      await tell(server)
      const page = await visitAs(browser, server, 'ann', options)
      if ('chinese' in rest) {
        await page.goto('/settings')
        await page.getByLabel('Language').selectOption('zh-CN')
        await page.goto('/')
      }
      await expect(row(page, 'Welcome to Belfry')).toBeVisible()
      if (name !== 'inbox-phone') {
        await row(page, 'Disk at 91 %').click()
        await expect(page.getByTestId('detail').getByRole('link').last()).toBeVisible()
      }
      await (
        await server.signIn('bob')
      ).send('ann', 'Lunch at 12:30?', { body: 'The place round the corner' })
      await expect(toast(page)).toBeVisible()
      await page.mouse.move(700, 700)
      await page.evaluate(() =>
        Promise.all(document.getAnimations().map(({ finished }) => finished)),
      )
      await page.screenshot({ path: join(images, `${name}.png`) })
      if (name !== 'inbox-light') return
      await page.keyboard.press('l')
      await expect(lockField(page)).toBeVisible()
      await page.screenshot({ path: join(images, 'lock.png') })
    })
  }
}

import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { expect, lockField, row, test, toast, visitAs } from './fixtures'

const images = join(import.meta.dirname, '../../docs/images')

const ENGLISH = {
  opened: 'Disk at 91 %',
  arriving: { title: 'Lunch at 12:30?', body: 'The place round the corner' },
  notices: [
    { title: 'Welcome to Belfry', body: 'Messages ring here at once.' },
    { title: 'Nightly backup finished', severity: 'success', body: '14.2 GB in 6 minutes' },
    { title: 'Contract signed', severity: 'success', body: 'Hartmann & Co. took the offer.' },
    { title: 'Certificate expires in 7 days', severity: 'warning', body: 'api.example.com' },
    { title: 'Deploy finished', body: 'web 4.12.0 runs on all nodes', url: '/status' },
    {
      title: 'Disk at 91 %',
      severity: 'warning',
      category: 'storage',
      url: 'https://grafana.example.com/d/disk',
      body: 'db-1, /var\nGrew by 4 % in the last hour.\n\nLargest: the archive of the write-ahead log.',
    },
  ],
}

const CHINESE: typeof ENGLISH = {
  opened: '磁盘已用 91%',
  arriving: { title: '中午 12:30 一起吃饭？', body: '街角新开的那家' },
  notices: [
    { title: '欢迎使用 Belfry', body: '消息一到，立刻出现在这里。' },
    { title: '夜间备份完成', severity: 'success', body: '14.2 GB，用时 6 分钟' },
    { title: '合同已签署', severity: 'success', body: '对方接受了报价。' },
    { title: '证书将在 7 天后到期', severity: 'warning', body: 'api.example.com' },
    { title: '部署完成', body: 'web 4.12.0 已在所有节点上运行', url: '/status' },
    {
      title: '磁盘已用 91%',
      severity: 'warning',
      category: '存储',
      url: 'https://grafana.example.com/d/disk',
      body: 'db-1，/var\n过去一小时增加了 4%。\n\n占用最多的是预写日志的归档。',
    },
  ],
}

const DESK = { viewport: { width: 1280, height: 800 } }
const PHONE = { viewport: { width: 390, height: 844 }, deviceScaleFactor: 2 }

const pictures = [
  { name: 'inbox-light', options: { ...DESK, colorScheme: 'light' }, text: ENGLISH },
  { name: 'inbox-dark', options: { ...DESK, colorScheme: 'dark' }, text: ENGLISH },
  { name: 'inbox-zh-CN', options: { ...DESK, locale: 'zh-CN' }, text: CHINESE },
  { name: 'inbox-phone', options: PHONE, text: ENGLISH },
] as const

/** Draws the pictures of the README: SCREENSHOTS=1 npm run e2e -- screenshots */
function draw({ name, options, text }: (typeof pictures)[number]): void {
  test(`picture: ${name}`, async ({ browser, server }) => {
    mkdirSync(images, { recursive: true })
    const device = await server.signIn('bob')
    for (const { title, ...more } of text.notices) await device.send('ann', title, more)
    const page = await visitAs(browser, server, 'ann', options)
    await expect(row(page, text.opened)).toBeVisible()
    if (name !== 'inbox-phone') {
      await row(page, text.opened).click()
      await expect(page.getByTestId('detail').getByText('db-1')).toBeVisible()
      await device.send('ann', text.arriving.title, { body: text.arriving.body })
      await expect(toast(page)).toBeVisible()
      await page.mouse.move(700, 700)
    }
    await page.evaluate(() => Promise.all(document.getAnimations().map(({ finished }) => finished)))
    await page.screenshot({ path: join(images, `${name}.png`) })
    if (name !== 'inbox-light') return
    await page.keyboard.press('l')
    await expect(lockField(page)).toBeVisible()
    await page.screenshot({ path: join(images, 'lock.png') })
  })
}

if (process.env.SCREENSHOTS === '1') pictures.forEach(draw)

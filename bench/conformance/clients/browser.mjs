// Opens a page in a real browser and keeps it open. The page itself tells the test what it gets.
import { address, report } from './report.mjs'

const [, , , name, program] = process.argv

async function chromium() {
  const playwright = await import('playwright-core')
  const browser = await playwright.chromium.launch({
    executablePath: program,
    chromiumSandbox: false,
    args: ['--disable-gpu', '--disable-quic', '--disable-background-networking', '--disable-component-update', '--disable-sync'],
  })
  return [browser, await browser.newPage()]
}

// Playwright drives only a Firefox of its own making; Puppeteer drives the one that is installed.
async function firefox() {
  const { default: puppeteer } = await import('puppeteer-core')
  const browser = await puppeteer.launch({ browser: 'firefox', executablePath: program, headless: true })
  return [browser, await browser.newPage()]
}

const [browser, page] = await (name === 'firefox' ? firefox() : chromium())
page.on('pageerror', (error) => report('', 'error', String(error)))
process.stdin.removeAllListeners('end')
process.stdin.on('end', () => browser.close().finally(() => process.exit(0)))
await page.goto(address)

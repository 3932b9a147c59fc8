import { watch } from 'vue'
import { useInbox } from '@/stores/inbox'
import { useSession } from '@/stores/session'

const SIZE = 64
/** What fits on an icon. */
const MOST = 9

/**
 * Says on the tab's icon, and on that of the installed app, how many are unread. While the page is
 * covered they say nothing.
 */
export function useBadge(): void {
  const session = useSession()
  const inbox = useInbox()
  const link = document.querySelector<HTMLLinkElement>('link[rel="icon"]')
  const plain = link?.href ?? ''
  let turn = 0

  watch(
    () => (session.covered ? 0 : inbox.unread),
    (count) => {
      turn++
      if ('setAppBadge' in navigator) {
        // Refused where the page is not installed; then there is no icon.
        void (count > 0 ? navigator.setAppBadge(count) : navigator.clearAppBadge()).catch(
          () => undefined,
        )
      }
      if (!link) return
      if (count === 0) link.href = plain
      else void draw(plain, count).then((drawn) => drawn && (link.href = drawn), noIcon)
    },
    { immediate: true, flush: 'sync' },
  )

  /** Null where another count, or the lock, has come meanwhile. */
  async function draw(icon: string, count: number): Promise<string | null> {
    const mine = turn
    const image = new Image(SIZE, SIZE)
    image.src = icon
    await image.decode()
    return mine === turn ? withCount(image, count) : null
  }
}

/** The icon stays as it is: the title says it too. */
const noIcon = () => undefined

function withCount(image: HTMLImageElement, count: number): string | null {
  const canvas = document.createElement('canvas')
  canvas.width = canvas.height = SIZE
  const context = canvas.getContext('2d')
  if (!context) return null
  const [radius, edge] = [19, 3]
  const [x, y] = [SIZE - radius - edge, SIZE - radius - edge]
  context.drawImage(image, 0, 0, SIZE, SIZE)
  const disc = (color: string, r: number) => {
    context.fillStyle = color
    context.beginPath()
    context.arc(x, y, r, 0, 2 * Math.PI)
    context.fill()
  }
  disc('#ffffff', radius + edge)
  disc('#1c1f24', radius)
  context.fillStyle = '#ffffff'
  context.font = '600 28px system-ui, sans-serif'
  context.textAlign = 'center'
  context.textBaseline = 'middle'
  context.fillText(count > MOST ? `${MOST}+` : String(count), x, y + 2, 2 * radius - 4)
  return canvas.toDataURL('image/png')
}

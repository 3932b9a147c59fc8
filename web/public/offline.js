// Comes back to the page that was asked for as soon as the server can give it.
const ASK_EVERY_MS = 3_000

async function ask() {
  try {
    const answer = await fetch(location.href, { method: 'HEAD', cache: 'no-store' })
    if (answer.ok) location.reload()
  } catch {
    // Not yet.
  }
}

addEventListener('online', ask)
document.addEventListener('visibilitychange', ask)
document.querySelector('button').addEventListener('click', ask)
setInterval(ask, ASK_EVERY_MS)
